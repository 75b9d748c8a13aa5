/* cairo (libcairo2), reached by dlopen: see paint.h. Only what is drawn with is declared; the types are opaque, and the
 * numbers are those of cairo's documented enumerations. */
#include "services/cloudwatch/paint.h"
#include "base/buf.h"
#include <dlfcn.h>
#include <math.h>

enum { FORMAT_RGB24 = 1, SLANT_NORMAL = 0, WEIGHT_NORMAL = 0, WEIGHT_BOLD = 1, LINE_JOIN_ROUND = 1, TEXT_MAX = 400 };

struct text_extents {
	double x_bearing, y_bearing, width, height, x_advance, y_advance;
};
/* In the order of `names`. */
struct api {
	void *(*image_surface_create)(int format, int width, int height);
	void *(*create)(void *surface);
	void (*destroy)(void *cr);
	void (*surface_destroy)(void *surface);
	int (*status)(void *cr);
	void (*set_source_rgba)(void *cr, double r, double g, double b, double a);
	void (*rectangle)(void *cr, double x, double y, double w, double h);
	void (*fill)(void *cr);
	void (*stroke)(void *cr);
	void (*move_to)(void *cr, double x, double y);
	void (*line_to)(void *cr, double x, double y);
	void (*close_path)(void *cr);
	void (*arc)(void *cr, double x, double y, double radius, double from, double to);
	void (*set_line_width)(void *cr, double width);
	void (*set_line_join)(void *cr, int join);
	void (*set_dash)(void *cr, const double *dashes, int n, double offset);
	void (*select_font_face)(void *cr, const char *family, int slant, int weight);
	void (*set_font_size)(void *cr, double size);
	void (*show_text)(void *cr, const char *text);
	void (*text_extents)(void *cr, const char *text, struct text_extents *out);
	void (*save)(void *cr);
	void (*restore)(void *cr);
	void (*clip)(void *cr);
	int (*surface_write_to_png_stream)(
		void *surface, int (*write)(void *ctx, const unsigned char *p, unsigned n), void *ctx);
};
static const char *const names[] = {"image_surface_create", "create", "destroy", "surface_destroy", "status",
	"set_source_rgba", "rectangle", "fill", "stroke", "move_to", "line_to", "close_path", "arc", "set_line_width",
	"set_line_join", "set_dash", "select_font_face", "set_font_size", "show_text", "text_extents", "save",
	"restore", "clip", "surface_write_to_png_stream"};
_Static_assert(sizeof(struct api) == sizeof(names), "one name for each function");

struct paint {
	struct api api;
	void *surface, *cr;
};

static bool load(struct arena *a, struct api *api)
{
	/* Never unloaded: its fonts' caches would go with it. */
	void *library = dlopen("libcairo.so.2", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library) return false;
	char *to = (char *)api;
	bool all = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		void *f = dlsym(library, str_z(a, str_fmt(a, "cairo_%s", names[i])));
		all = all && f;
		memcpy(to + i * sizeof(f), &f, sizeof(f));
	}
	(void)dlclose(library);
	return all;
}

struct paint *paint_new(struct arena *a, int width, int height, struct colour ground, struct str *why)
{
	struct paint *p = arena_new(a, struct paint);
	*why = STR("Pictures need cairo: apt install libcairo2 fonts-dejavu-core");
	if (!load(a, &p->api)) return NULL;
	p->surface = p->api.image_surface_create(FORMAT_RGB24, width, height);
	p->cr = p->api.create(p->surface);
	*why = STR("The picture could not be made.");
	if (p->api.status(p->cr) != 0) {
		paint_free(p);
		return NULL;
	}
	p->api.set_line_join(p->cr, LINE_JOIN_ROUND);
	paint_box(p, 0, 0, width, height, ground);
	return p;
}

void paint_free(struct paint *p)
{
	if (!p) return;
	p->api.destroy(p->cr);
	p->api.surface_destroy(p->surface);
}

static void use(struct paint *p, struct colour c)
{
	p->api.set_source_rgba(p->cr, c.r, c.g, c.b, c.a);
}

void paint_box(struct paint *p, double x, double y, double width, double height, struct colour c)
{
	use(p, c);
	p->api.rectangle(p->cr, x, y, width, height);
	p->api.fill(p->cr);
}

static void path(struct paint *p, const struct point *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			p->api.line_to(p->cr, v[i].x, v[i].y);
		else
			p->api.move_to(p->cr, v[i].x, v[i].y);
	}
}

void paint_line(struct paint *p, const struct point *v, size_t n, double width, double dash, struct colour c)
{
	const double dashes[] = {dash, dash};
	use(p, c);
	p->api.set_line_width(p->cr, width);
	p->api.set_dash(p->cr, dashes, dash > 0 ? 2 : 0, 0);
	path(p, v, n);
	p->api.stroke(p->cr);
}

void paint_area(struct paint *p, const struct point *v, size_t n, struct colour c)
{
	use(p, c);
	path(p, v, n);
	p->api.close_path(p->cr);
	p->api.fill(p->cr);
}

void paint_slice(struct paint *p, double x, double y, double radius, double from, double to, struct colour c)
{
	use(p, c);
	p->api.move_to(p->cr, x, y);
	p->api.arc(p->cr, x, y, radius, (from - 0.25) * 2 * M_PI, (to - 0.25) * 2 * M_PI);
	p->api.close_path(p->cr);
	p->api.fill(p->cr);
}

void paint_within(struct paint *p, double x, double y, double width, double height)
{
	p->api.save(p->cr);
	p->api.rectangle(p->cr, x, y, width, height);
	p->api.clip(p->cr);
}

void paint_whole(struct paint *p)
{
	p->api.restore(p->cr);
}

static double width_of(struct paint *p, double size, bool bold, const char *text)
{
	struct text_extents e;
	p->api.select_font_face(p->cr, "sans-serif", SLANT_NORMAL, bold ? WEIGHT_BOLD : WEIGHT_NORMAL);
	p->api.set_font_size(p->cr, size);
	p->api.text_extents(p->cr, text, &e);
	return e.x_advance;
}

/* Zero-terminated, and short enough. */
static size_t copy(char *to, struct str text)
{
	size_t n = text.n < TEXT_MAX ? text.n : TEXT_MAX;
	/* Not in the middle of a character. */
	while (n < text.n && n && ((unsigned char)text.p[n] & 0xc0) == 0x80) n--;
	memcpy(to, text.p, n);
	to[n] = 0;
	return n;
}

double paint_text_width(struct paint *p, double size, bool bold, struct str text)
{
	char z[TEXT_MAX + 4];
	(void)copy(z, text);
	return width_of(p, size, bold, z);
}

void paint_text(struct paint *p, double x, double y, int side, double size, bool bold, double max_width,
	struct colour c, struct str text)
{
	char z[TEXT_MAX + 4];
	size_t n = copy(z, text);
	double width = width_of(p, size, bold, z);
	while (max_width > 0 && width > max_width && n) {
		n--;
		while (n && ((unsigned char)z[n] & 0xc0) == 0x80) n--;
		memcpy(z + n, "\xe2\x80\xa6", 4);
		width = width_of(p, size, bold, z);
	}
	use(p, c);
	p->api.move_to(p->cr, x - (side > 0 ? width : side == 0 ? width / 2 : 0), y);
	p->api.show_text(p->cr, z);
}

static int append(void *ctx, const unsigned char *p, unsigned n)
{
	buf_add(ctx, p, n);
	return 0;
}

struct str paint_png(struct paint *p, struct arena *a)
{
	struct buf b = BUF_IN(a);
	return p->api.surface_write_to_png_stream(p->surface, append, &b) == 0 ? buf_done(&b) : STR_NONE;
}
