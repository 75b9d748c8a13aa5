/* Running the init hooks; see init.h. */
#include "admin/init.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/vec.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct init_hooks {
	struct arena arena; /* the list; not changed after init_new but for the states */
	struct {
		struct init_script *v;
		size_t n;
	} scripts;
	char **environment;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows, and of the scripts' states */
	pthread_cond_t ended;
	bool stopping, completed;
	pid_t running; /* 0: none */
};

static bool is_script(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && entry->d_name[strlen(entry->d_name) - 1] != '~';
}

static void find_scripts(struct init_hooks *h, const char *folder, size_t *capacity)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct stat st;
		struct str name = str_c(names[i]->d_name);
		const char *path = str_fmt(&h->arena, "%s/%s", folder, names[i]->d_name).p;
		bool runs = access(path, X_OK) == 0 || str_ends(name, STR(".sh")) || str_ends(name, STR(".py"));
		if (is_script(names[i]) && stat(path, &st) == 0 && S_ISREG(st.st_mode) && runs) {
			struct init_script *s = VEC_PUSH(&h->arena, &h->scripts, capacity);
			s->folder = str_dup(&h->arena, str_c(folder));
			s->name = str_dup(&h->arena, name);
		}
		free(names[i]);
	}
	free(names);
}

/* virga's own environment, with the pairs given in place of those of the same name. */
static char **merge_environment(struct arena *a, const char *const *pairs)
{
	size_t n = 0, n_pairs = 0;
	while (environ[n]) n++;
	while (pairs && pairs[n_pairs]) n_pairs++;
	char **merged = arena_new_n(a, char *, n + n_pairs + 1);
	size_t out = 0;
	for (size_t i = 0; i < n; i++) {
		struct str have = str_c(environ[i]), name = str_cut(&have, '=');
		bool replaced = false;
		for (size_t k = 0; k < n_pairs && !replaced; k++) {
			struct str pair = str_c(pairs[k]);
			replaced = str_eq(str_cut(&pair, '='), name);
		}
		if (!replaced) merged[out++] = arena_copy(a, environ[i], strlen(environ[i]) + 1);
	}
	for (size_t k = 0; k < n_pairs; k++) merged[out++] = arena_copy(a, pairs[k], strlen(pairs[k]) + 1);
	return merged;
}

struct init_hooks *init_new(const char *const *folders, size_t n_folders, const char *const *environment)
{
	struct init_hooks *h = mem_new(sizeof(*h));
	arena_init(&h->arena);
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&h->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	size_t capacity = 0;
	for (size_t i = 0; i < n_folders; i++) find_scripts(h, folders[i], &capacity);
	h->environment = merge_environment(&h->arena, environment);
	return h;
}

/* A process group of its own, so that stopping reaches what the script started; standard output joined with error, so
 * that virga's own output stays what it promises to be. */
static pid_t spawn_script(const struct init_hooks *h, const struct init_script *s)
{
	char path[4096];
	snprintf(path, sizeof(path), "%.*s/%.*s", STR_ARG(s->folder), STR_ARG(s->name));
	bool direct = access(path, X_OK) == 0;
	char sh[] = "sh", python[] = "python3";
	char *as_is[] = {path, NULL}, *by[] = {str_ends(s->name, STR(".py")) ? python : sh, path, NULL};

	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&actions);
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	pid_t pid = 0;
	char **argv = direct ? as_is : by;
	int e = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, h->environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (e) {
		log_warn("init", "hook_refused", "script=\"%.*s\" why=\"%s\"", STR_ARG(s->name), strerror(e));
		return -1;
	}
	return pid;
}

static void run_script(struct init_hooks *h, struct init_script *s)
{
	pthread_mutex_lock(&h->lock);
	if (h->stopping) {
		pthread_mutex_unlock(&h->lock);
		return;
	}
	s->state = INIT_RUNNING;
	pid_t pid = spawn_script(h, s);
	h->running = pid > 0 ? pid : 0;
	pthread_mutex_unlock(&h->lock);

	int how = 0, code = 127;
	if (pid > 0) {
		/* Waiting without reaping keeps the group's id ours until nobody can signal it any more. */
		siginfo_t info;
		while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
	}
	pthread_mutex_lock(&h->lock);
	h->running = 0;
	if (pid > 0 && waitpid(pid, &how, 0) == pid) code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	s->exit_code = code;
	s->state = code == 0 ? INIT_SUCCESSFUL : INIT_ERROR;
	pthread_mutex_unlock(&h->lock);
	if (code == 0)
		log_info("init", "hook_done", "script=\"%.*s\"", STR_ARG(s->name));
	else
		log_warn("init", "hook_failed", "script=\"%.*s\" exit_code=%d", STR_ARG(s->name), code);
}

static void *run_all(void *ctx)
{
	struct init_hooks *h = ctx;
	for (size_t i = 0; i < h->scripts.n; i++) run_script(h, &h->scripts.v[i]);
	pthread_mutex_lock(&h->lock);
	h->completed = true;
	pthread_cond_broadcast(&h->ended);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

void init_start(struct init_hooks *h)
{
	if (h->scripts.n == 0) {
		pthread_mutex_lock(&h->lock);
		h->completed = true;
		pthread_mutex_unlock(&h->lock);
		return;
	}
	INVARIANT(!h->started);
	h->started = pthread_create(&h->thread, NULL, run_all, h) == 0;
	if (!h->started) log_error("init", "no_thread", "scripts=%zu", h->scripts.n);
}

/* Under the lock. */
static void signal_running(struct init_hooks *h, int signal_number)
{
	if (h->running > 0) kill(-h->running, signal_number);
}

void init_free(struct init_hooks *h)
{
	if (!h) return;
	if (h->started) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 2;
		pthread_mutex_lock(&h->lock);
		h->stopping = true;
		signal_running(h, SIGTERM);
		while (!h->completed && pthread_cond_timedwait(&h->ended, &h->lock, &until) == 0) continue;
		signal_running(h, SIGKILL);
		pthread_mutex_unlock(&h->lock);
		pthread_join(h->thread, NULL);
	}
	pthread_cond_destroy(&h->ended);
	pthread_mutex_destroy(&h->lock);
	arena_cleanup(&h->arena);
	free(h);
}

struct init_script *init_scripts(struct init_hooks *h, struct arena *a, size_t *n, bool *completed)
{
	pthread_mutex_lock(&h->lock);
	*n = h->scripts.n;
	*completed = h->completed;
	struct init_script *copy = arena_copy(a, h->scripts.v, h->scripts.n * sizeof(*copy));
	pthread_mutex_unlock(&h->lock);
	return copy;
}

const char *init_state_name(enum init_state s)
{
	static const char *const names[] = {"UNKNOWN", "RUNNING", "SUCCESSFUL", "ERROR"};
	return names[s];
}
