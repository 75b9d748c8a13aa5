/* Drawing into a picture, by cairo. The library is loaded when the first picture is asked for, so that a virga that
 * draws none carries none. A picture belongs to one thread; several may be drawn at once. Coordinates are pixels from
 * the top left. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct paint;
/* red, green, blue and how solid, 0 to 1. */
struct colour {
	double r, g, b, a;
};
struct point {
	double x, y;
};
/* NULL: cairo is not there, or has no memory: *why is a sentence. Ends with paint_free. */
struct paint *paint_new(struct arena *a, int width, int height, struct colour ground, struct str *why);
void paint_free(struct paint *p);
void paint_box(struct paint *p, double x, double y, double width, double height, struct colour c);
/* Through the points; dash: length of dashes and of gaps, 0: none. */
void paint_line(struct paint *p, const struct point *v, size_t n, double width, double dash, struct colour c);
/* The area within the points. */
void paint_area(struct paint *p, const struct point *v, size_t n, struct colour c);
/* A slice of a disc, between two angles in turns from noon. */
void paint_slice(struct paint *p, double x, double y, double radius, double from, double to, struct colour c);
/* Nothing is drawn outside the box, until paint_whole. */
void paint_within(struct paint *p, double x, double y, double width, double height);
void paint_whole(struct paint *p);
/* side: -1 to the right of x, 0 about it, 1 to its left; y: the base line. max_width: what is longer ends in … (0:
 * any). */
void paint_text(struct paint *p, double x, double y, int side, double size, bool bold, double max_width,
	struct colour c, struct str text);
double paint_text_width(struct paint *p, double size, bool bold, struct str text);
/* The picture as PNG, in `a`. */
struct str paint_png(struct paint *p, struct arena *a);
