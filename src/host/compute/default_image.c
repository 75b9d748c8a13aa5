/* The default image: its recipe, and its building by mmdebstrap. */
#include "base/log.h"
#include "host/compute/image.h"
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Change a recipe, and IMAGE_DEFAULT has to change: machines stand on the old one. */
#define PACKAGES                                                                                                       \
	"python3,iproute2,iputils-ping,openssh-server,openssh-client,curl,ca-certificates,procps,netcat-openbsd,sudo," \
	"e2fsprogs,nftables,iptables,less"

/* What a cloud image adds to Debian: the users that EC2's images have, no host keys, and the words by which a system
 * without systemd is ended (init's signals: init/main.c). */
static const char customize[] =
	"set -e; r=\"$1\"\n"
	"for u in admin ec2-user; do chroot \"$r\" useradd -m -s /bin/bash -G sudo $u; done\n"
	"printf 'admin ALL=(ALL) NOPASSWD:ALL\\nec2-user ALL=(ALL) NOPASSWD:ALL\\n' > \"$r/etc/sudoers.d/90-cloud\"\n"
	"chmod 440 \"$r/etc/sudoers.d/90-cloud\"\n"
	"rm -f \"$r\"/etc/ssh/ssh_host_* \"$r/etc/machine-id\" \"$r/etc/resolv.conf\" \"$r/etc/hostname\"\n"
	"for n in poweroff halt shutdown reboot; do\n"
	"  s=TERM; [ $n != reboot ] || s=INT\n"
	"  [ $n = shutdown ] && c='for a; do [ \"$a\" != -r ] || exec kill -INT 1; done\n' || c=\n"
	"  printf '#!/bin/sh\\n'\"$c\"'exec kill -%s 1\\n' $s > \"$r/usr/sbin/$n\"; chmod 755 \"$r/usr/sbin/$n\"\n"
	"done\n"
	"printf 'deb http://deb.debian.org/debian bookworm main\\n"
	"deb http://deb.debian.org/debian bookworm-updates main\\n"
	"deb http://security.debian.org/debian-security bookworm-security main\\n' > \"$r/etc/apt/sources.list\"\n"
	"rm -rf \"$r\"/var/cache/apt/* \"$r\"/var/lib/apt/lists/* \"$r\"/var/log/*.log\n";

bool image_default_ready(void)
{
	return access(IMAGE_CACHE IMAGE_DEFAULT "/etc", F_OK) == 0;
}

static status make_folders(void)
{
	static const char *const parts[] = {"/var/cache/virga", IMAGE_CACHE};
	for (size_t i = 0; i < 2; i++)
		if (mkdir(parts[i], 0755) != 0 && errno != EEXIST) return STATUS(IO);
	return OK;
}

static status build(struct arena *a, int log, struct str *why)
{
	const char *beside = str_fmt(a, IMAGE_CACHE ".building-%d", getpid()).p;
	const char *hook = str_fmt(a, "--customize-hook=%s", customize).p;
	const char *argv[] = {"mmdebstrap", "--quiet", "--variant=minbase", "--include=" PACKAGES, "--format=directory",
		"--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*", hook,
		"bookworm", beside, NULL};
	int code = spawn_wait(argv, "/", log);
	if (code == 0 && rename(beside, IMAGE_CACHE IMAGE_DEFAULT) == 0) return OK;
	const char *clean[] = {"rm", "-rf", "--one-file-system", beside, NULL};
	spawn_wait(clean, "/", -1);
	*why = code == 127 ? STR("mmdebstrap is not installed: apt install mmdebstrap")
			   : str_fmt(a,
				     "mmdebstrap could not build the machine image (exit code %d): is there a Debian "
				     "mirror in "
				     "reach? `virga engines install machine-image` shows what it says",
				     code);
	log_warn("host", "image", "name=" IMAGE_DEFAULT " exit=%d", code);
	return STATUS(IO);
}

status image_default_build(struct arena *a, int log, struct str *why)
{
	*why = STR("cannot write to " IMAGE_CACHE);
	TRY(make_folders());
	int lock = open(IMAGE_CACHE ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int n;
	do n = lock < 0 ? -1 : flock(lock, LOCK_EX);
	while (lock >= 0 && n != 0 && errno == EINTR);
	status s = n != 0 ? STATUS(IO) : image_default_ready() ? OK : build(a, log, why);
	if (lock >= 0) close(lock);
	return s;
}
