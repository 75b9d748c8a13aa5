/* The bytes of joined points: one span of a metric at one resolution. */
#pragma once
#include "services/cloudwatch/points.h"

/* Sums of one resolution's steps, in order of step; those of different units beside each other. */
struct cw_cell {
	uint16_t step;
	struct cw_sum sum;
};
struct cw_cells {
	struct cw_cell *v;
	size_t n, capacity;
};

extern const int64_t cw_spans_s[CW_RESOLUTIONS]; /* of a block */
struct str cw_block_prefix(struct arena *a, const char *kind, struct cw_id id);
struct str cw_block_key(struct arena *a, const char *kind, struct cw_id id, int resolution, int64_t start);

/* What is stored of a sum without its values, and of the values. CORRUPT where the bytes are not of this form. */
void cw_sum_write(struct buf *b, const struct cw_sum *s, bool values_elsewhere);
status cw_sum_read(struct str *bytes, struct cw_sum *s, bool *values_elsewhere) MUST_USE;
void cw_pairs_write(struct buf *b, const struct cw_pairs *p);
/* Added to *p; p NULL: passed over. */
status cw_pairs_read(struct arena *a, struct str *bytes, struct cw_pairs *p) MUST_USE;
/* Adds one to the other, with the values that both are made of, where both are known. */
void cw_sum_join(struct arena *a, struct cw_sum *to, struct cw_sum one);
void cw_pair_add(struct arena *a, struct cw_pairs *p, double value, double times);
/* Sorted, equal values joined; past 1,000 those that are within a hundredth of each other are joined too. */
void cw_pairs_compact(struct cw_pairs *p);

/* values: the block of kind "d" is read too. Absent blocks are empty. */
status cw_block_read(struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start, bool values,
	struct cw_cells *out) MUST_USE;
/* The same without values, one after the other, and nothing of it kept. */
status cw_block_sums(struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start,
	void (*fn)(void *ctx, uint16_t step, const struct cw_sum *s), void *ctx) MUST_USE;
void cw_block_put(
	struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start, struct cw_cells *cells);
