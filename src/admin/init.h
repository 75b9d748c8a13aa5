/* Init hooks: programs that run once virga answers, to make the buckets and queues that a project needs. The scripts of
 * the `ready.d` folders run in the order of their names, one after the other; a failing one does not stop the others
 * (LocalStack's documentation, "Initialization Hooks"). Executable files run as they are; *.sh that are not executable
 * run by sh, *.py by python3. Their output goes to virga's standard error. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum init_state { INIT_UNKNOWN, INIT_RUNNING, INIT_SUCCESSFUL, INIT_ERROR };
struct init_script {
	struct str folder, name;
	enum init_state state;
	int exit_code;
};
struct init_hooks;

/* Finds the scripts. A folder that does not exist is empty. environment: "NAME=value" pairs, NULL at the end, which the
 * scripts get beside virga's own environment; copied. */
struct init_hooks *init_new(const char *const *folders, size_t n_folders, const char *const *environment);
/* Runs them in a thread of their own. Once. */
void init_start(struct init_hooks *h);
/* Ends what runs (SIGTERM, after 2 s SIGKILL, to the script's process group), waits for the thread, frees. NULL is
 * fine. */
void init_free(struct init_hooks *h);

/* A copy of what is known now, in `a`; any thread. *completed: all have run. */
struct init_script *init_scripts(struct init_hooks *h, struct arena *a, size_t *n, bool *completed);
const char *init_state_name(enum init_state s);
