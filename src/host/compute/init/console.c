/* The console: a ring in a file, written by init alone, so that it needs nobody else to run. */
#include "host/compute/init/init.h"
#include <stdarg.h>
#include <unistd.h>

void console_open(struct init *in)
{
	struct console_head *h = &in->console;
	if (pread(INIT_FD_CONSOLE, h, sizeof(*h), 0) == sizeof(*h) && h->magic == CONSOLE_MAGIC) return;
	*h = (struct console_head){.magic = CONSOLE_MAGIC, .user_data = -2};
	console_save(in);
}

void console_save(struct init *in)
{
	if (pwrite(INIT_FD_CONSOLE, &in->console, sizeof(in->console), 0) < 0) return; /* nobody to tell */
}

void console_write(struct init *in, const char *p, size_t n)
{
	system_log_write(p, n);
	while (n > 0) {
		size_t at = (size_t)(in->console.total % CONSOLE_RING),
		       part = CONSOLE_RING - at < n ? CONSOLE_RING - at : n;
		if (pwrite(INIT_FD_CONSOLE, p, part, (off_t)(sizeof(in->console) + at)) != (ssize_t)part) return;
		in->console.total += part, p += part, n -= part;
	}
	console_save(in);
}

void console_say(struct init *in, const char *fmt, ...)
{
	char line[512];
	int64_t t = now_ms();
	int n = snprintf(line, sizeof(line), "[%5lld.%03d] ", (long long)(t / 1000), (int)(t % 1000));
	va_list args;
	va_start(args, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 3, fmt, args);
	va_end(args);
	if (n > (int)sizeof(line) - 3) n = (int)sizeof(line) - 3;
	line[n++] = '\r', line[n++] = '\n';
	console_write(in, line, (size_t)n);
}
