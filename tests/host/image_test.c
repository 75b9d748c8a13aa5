/* Importing images: root file systems, docker save, OCI layouts; whiteouts, shared layers; and archives that want out.
 * Needs root. */
#include "host/compute/import.h"
#include "host/machines.h"
#include <sys/sysmacros.h>

static struct host *host;
static struct arena arena;
static char dir[] = "/tmp/virga-images-XXXXXX";

/* Makes the archives in DIR by Python's tarfile: t(name, entries), an entry is (path, content or None for a folder,
 * options). */
static const char maker[] =
	"import tarfile,io,json,hashlib,os,sys\n"
	"os.chdir(sys.argv[1])\n"
	"def layer(entries):\n"
	"    b=io.BytesIO(); t=tarfile.open(fileobj=b,mode='w',format=tarfile.PAX_FORMAT)\n"
	"    for path,content,*more in entries:\n"
	"        o=more[0] if more else {}\n"
	"        i=tarfile.TarInfo(path); i.mode=o.get('mode',0o755 if content is None else 0o644); "
	"i.uid=o.get('uid',0); i.gid=o.get('gid',0)\n"
	"        i.pax_headers=o.get('pax',{})\n"
	"        if 'type' in o: i.type=o['type']; i.linkname=o.get('link',''); i.devmajor=8; i.devminor=0\n"
	"        elif content is None: i.type=tarfile.DIRTYPE\n"
	"        data=b'' if content is None or 'type' in o else content if isinstance(content,bytes) else "
	"content.encode(); i.size=len(data)\n"
	"        t.addfile(i,io.BytesIO(data))\n"
	"    t.close(); return b.getvalue()\n"
	"def outer(name,files):\n"
	"    t=tarfile.open(name,'w:gz' if name.endswith('gz') else 'w')\n"
	"    for p,d in files:\n"
	"        i=tarfile.TarInfo(p); i.size=len(d); t.addfile(i,io.BytesIO(d))\n"
	"    t.close()\n"
	"D,S,H,B=None,{'type':tarfile.SYMTYPE},{'type':tarfile.LNKTYPE},{'type':tarfile.BLKTYPE}\n"
	"one=layer([('./',D),('usr',D),('usr/bin',D),('usr/bin/"
	"tool',open('tool','rb').read(),{'mode':0o4755}),('etc',D),('etc/gone','1'),('etc/stay','2',{'uid':65535}),\n"
	" ('opt',D),('opt/old','3'),('etc/l\\u00e4nge','4'),('etc/hard','',dict(H,link='etc/stay')),('dev',D),('dev/"
	"sda','',B)])\n"
	"two=layer([('etc',D),('etc/.wh.gone',''),('opt',D),('opt/.wh..wh..opq',''),('opt/new','5'),\n"
	" ('usr/bin/tool2','y',{'pax':{'SCHILY.xattr.trusted.overlay.redirect':'/"
	"etc','SCHILY.xattr.user.note':'n'}})])\n"
	"open('root.tar','wb').write(one)\n"
	"sha=lambda d: hashlib.sha256(d).hexdigest()\n"
	"outer('docker.tar',[('b/layer.tar',two),('a/"
	"layer.tar',one),('manifest.json',json.dumps([{'Config':'c.json','Layers':['a/layer.tar','b/"
	"layer.tar']}]).encode())])\n"
	"m=json.dumps({'layers':[{'digest':'sha256:'+sha(one)},{'digest':'sha256:'+sha(two)}]}).encode()\n"
	"ix=lambda d: json.dumps({'manifests':[{'digest':'sha256:'+sha(d)}]}).encode()\n"
	"outer('oci.tar.gz',[('oci-layout',b'{}'),('index.json',ix(m)),('blobs/sha256/'+sha(m),m),('blobs/sha256/"
	"'+sha(one),one),('blobs/sha256/'+sha(two),two)])\n"
	"outer('lie.tar',[('index.json',ix(m)),('blobs/sha256/'+sha(m),m),('blobs/sha256/'+sha(one),two),('blobs/"
	"sha256/'+sha(two),one)])\n"
	"outer('lacks.tar',[('index.json',ix(m)),('blobs/sha256/'+sha(m),m)])\n"
	"open('link.tar','wb').write(layer([('usr',D),('tmp',D),('usr/out','',dict(S,link='/tmp')),('usr/out/"
	"virga-evil-x','!')]))\n"
	"evil={'dots':[('usr',D),('../../../../../../../../tmp/virga-evil-x','!')],'abs':[('usr',D),('/../tmp/"
	"virga-evil-x','!')],\n"
	" "
	" 'hard':[('usr',D),('usr/h','',dict(H,link='../../../../../etc/passwd'))],\n"
	" 'ids':[('usr',D),('usr/f','!',{'uid':70000})],'wh':[('usr',D),('usr/"
	".wh...','')],'whdot':[('usr',D),('.wh.',''),]}\n"
	"for n,e in evil.items(): open('evil-'+n+'.tar','wb').write(layer(e))\n"
	"open('empty.tar','wb').write(layer([('readme','x')]))\n"
	"open('garbage.tar','wb').write(bytes(range(256))*64)\n"
	"open('cut.tar','wb').write(one[:len(one)//3])\n";

static status import(const char *name, const char *file, struct str *why)
{
	int fd = open(str_fmt(&arena, "%s/%s", dir, file).p, O_RDONLY | O_CLOEXEC);
	*why = STR("");
	CHECK(fd >= 0);
	status s = host_image_import(host, &arena, str_c(name), fd, why);
	close(fd);
	return s;
}

static struct compute_rec_image_status find(const char *name)
{
	struct compute_rec_image_statuses all = {0};
	CHECK_OK(host_image_list(host, &arena, &all));
	for (size_t i = 0; i < all.images.n; i++)
		if (str_eq(all.images.v[i].name, str_c(name))) return all.images.v[i];
	return (struct compute_rec_image_status){0};
}

TEST(judges_names)
{
	char out[PATH_MAX];
	CHECK(import_path(STR("./a//b/./c/"), out) && strcmp(out, "a/b/c") == 0);
	CHECK(import_path(STR("/"), out) && strcmp(out, "") == 0);
	CHECK(import_path(STR("..."), out) && strcmp(out, "...") == 0);
	CHECK(!import_path(STR("a/../b"), out) && !import_path(STR(".."), out) && !import_path(STR("/.."), out));
	CHECK(!import_path(str_n("a\0b", 3), out));
	CHECK(import_whiteout("a/.wh.b", out) == IMPORT_WHITEOUT && strcmp(out, "a/b") == 0);
	CHECK(import_whiteout(".wh.b", out) == IMPORT_WHITEOUT && strcmp(out, "b") == 0);
	CHECK(import_whiteout("a/.wh..wh..opq", out) == IMPORT_OPAQUE && strcmp(out, "a") == 0);
	CHECK(import_whiteout(".wh..wh..opq", out) == IMPORT_OPAQUE && strcmp(out, ".") == 0);
	CHECK(import_whiteout("a/wh.b", out) == IMPORT_PLAIN);
	CHECK(import_whiteout("a/.wh.", out) == IMPORT_REFUSED && import_whiteout(".wh...", out) == IMPORT_REFUSED);
}

TEST(begin)
{
	arena_init(&arena);
	CHECK(mkdtemp(dir) != NULL);
	host = host_start(false, false);
	if (!host_available(host)) return;
	host_open(host, dir, true);
	const char *path = str_fmt(&arena, "%s/make.py", dir).p;
	FILE *f = fopen(path, "we");
	CHECK(f && fputs(maker, f) >= 0 && fclose(f) == 0);
	/* A static program that tells which of its arguments are there, for an image without a shell. */
	CHECK(system(str_fmt(&arena,
		      "cd %s && printf '%%s' '#include <sys/stat.h>\n#include <unistd.h>\nint main(int n,char**v)"
		      "{struct stat s;for(int i=1;i<n;i++)if(write(1,lstat(v[i],&s)?\"-\":\"+\",1)<0)return 1;return "
		      "0;}' "
		      "| gcc -x c -static -O1 -s -o tool -",
		      dir)
			      .p) == 0);
	CHECK(system(str_fmt(&arena, "python3 %s %s", path, dir).p) == 0);
}

TEST(three_kinds_are_one)
{
	if (!host_available(host)) SKIP("no images here");
	struct str why;
	CHECK_OK(import("tar", "root.tar", &why));
	CHECK_OK(import("docker", "docker.tar", &why));
	CHECK_OK(import("oci", "oci.tar.gz", &why));
	CHECK(status_is(import("oci", "oci.tar.gz", &why), STATUS_BUSY));
	CHECK(status_is(import("../x", "oci.tar.gz", &why), STATUS_INVALID));
	CHECK(status_is(import("default", "oci.tar.gz", &why), STATUS_INVALID));
	struct compute_rec_image_status tar = find("tar"), docker = find("docker"), oci = find("oci");
	CHECK(tar.layers.n == 1 && docker.layers.n == 2 && oci.layers.n == 2);
	if (tar.layers.n != 1 || docker.layers.n != 2 || oci.layers.n != 2) return;
	CHECK_STR(docker.layers.v[0], tar.layers.v[0]);
	CHECK_STR(docker.layers.v[1], oci.layers.v[1]);
	CHECK_OK(host_image_remove(host, STR("docker")));
	CHECK(status_is(host_image_remove(host, STR("docker")), STATUS_NOT_FOUND));
	CHECK(find("oci").layers.n == 2);
}

/* What a machine sees of it. */
TEST(layers_stack)
{
	if (!host_available(host)) SKIP("no images here");
	struct compute_rec_machine m = {.id = STR("i-1"),
		.image = STR("oci"),
		.hostname = STR("h"),
		.root = STR("r"),
		.console = STR("c"),
		.vcpus = SOME_I32(1),
		.memory_bytes = SOME_I64(64 << 20)};
	struct compute_rec_machine_status st = {0};
	struct str why = STR("");
	CHECK_OK(volume_create(str_fmt(&arena, "%s/r", dir).p, 64 << 20));
	CHECK_OK(host_machine_start(host, &arena, &m, &why));
	if (why.n) fprintf(stderr, "%.*s\n", STR_ARG(why));
	CHECK(status_is(host_image_remove(host, STR("oci")), STATUS_BUSY));
	for (int i = 0; i < 2000 && is_ok(host_machine_status(host, &arena, m.id, &st)) && !str_is(st.state, "running");
		i++)
		usleep(5000);
	struct str argv[] = {STR("/usr/bin/tool"), STR("/etc/stay"), STR("/etc/gone"), STR("/etc/.wh.gone"),
		STR("/opt/old"), STR("/opt/new"), STR("/etc/hard"), STR("/etc/l\xc3\xa4nge"), STR("/dev/sda"),
		STR("/usr/bin/tool2")};
	struct compute_rec_machine_exec e = {.id = m.id, .argv = {argv, 10}};
	int out[2], control = -1, terminal, code = -1;
	bool ended = false;
	char text[64];
	CHECK(pipe2(out, O_CLOEXEC) == 0);
	CHECK_OK(host_machine_exec(host, &arena, &e, (int[3]){out[0], out[1], out[1]}, &control, &why));
	while (!ended) CHECK_OK(host_exec_wait(control, &terminal, &ended, &code));
	close(out[1]);
	ssize_t n = read(out[0], text, sizeof(text));
	CHECK_STR(str_n(text, n > 0 ? (size_t)n : 0), STR("+---+++-+"));
	CHECK(code == 0);
	close(out[0]), close(control);
	CHECK_OK(host_machine_stop(host, m.id, true));
}

TEST(refuses_what_wants_out)
{
	if (!host_available(host)) SKIP("no images here");
	static const char *const evil[] = {"evil-dots.tar", "evil-abs.tar", "evil-hard.tar", "evil-ids.tar",
		"evil-wh.tar", "evil-whdot.tar", "empty.tar", "garbage.tar", "cut.tar", "lie.tar", "lacks.tar",
		"make.py"};
	for (size_t i = 0; i < sizeof(evil) / sizeof(*evil); i++) {
		struct str why;
		status s = import("evil", evil[i], &why);
		CHECK(status_is(s, STATUS_INVALID) && why.n > 0);
		if (!status_is(s, STATUS_INVALID)) fprintf(stderr, "%s: %s\n", evil[i], status_name(s));
	}
	struct str said;
	CHECK_OK(import("link", "link.tar", &said));
	CHECK(access("/tmp/virga-evil-x", F_OK) != 0);
	CHECK(find("evil").layers.n == 0);
	struct str why;
	int ends[2];
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	close(ends[1]);
	CHECK(status_is(host_image_import(host, &arena, STR("pipe"), ends[0], &why), STATUS_INVALID));
	close(ends[0]);
}

TEST(end)
{
	if (host_available(host)) CHECK_OK(host_clear(host));
	host_stop(host, true);
	CHECK(system(str_fmt(&arena, "rm -rf %s", dir).p) == 0);
	arena_cleanup(&arena);
}

TEST_MAIN()
