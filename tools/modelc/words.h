/* A line of the model language, cut into words. */
#pragma once
#include "modelc/model.h"

enum { WORDS_MAX = 1024 };

/* `name` or `name=value`; a whole word in quotes is a name, too. */
struct word {
	struct str name;
	struct str value; /* absent without '=' */
};

struct line {
	struct place at;
	bool indented; /* begins with one space: belongs to the declaration before */
	size_t n;      /* 0: blank or a comment */
	struct word words[WORDS_MAX];
};

/* Cuts `text` (without its newline) into l->words; decoded strings live in the model's arena. False after
 * model_fail() for anything that the language does not allow. */
bool line_cut(struct model *m, struct place at, struct str text, struct line *l);
