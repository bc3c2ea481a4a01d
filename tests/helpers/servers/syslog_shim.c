/* Loaded into sendmail by LD_PRELOAD: what it tells syslog goes to the file $SHIM_LOG, and its host
 * is called $SHIM_HOST. The file, because a private /dev/log would need a mount; the name, because
 * sendmail sleeps a minute at start where the machine's own name has no dot. Both are copied when
 * the program is loaded, before sendmail clears its environment; the file is opened for each line,
 * because sendmail closes descriptors that it does not know. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE = 4096 }; /* octets; sendmail's own limit of one syslog line is 1024 */

static char path[PATH_MAX], host[HOST_NAME_MAX + 1];

static void keep(const char *name, char *to, size_t size)
{
	const char *value = getenv(name);

	snprintf(to, size, "%s", value == NULL ? "" : value);
}

__attribute__((constructor)) static void prepare(void)
{
	keep("SHIM_LOG", path, sizeof path);
	keep("SHIM_HOST", host, sizeof host);
}

static void write_line(const char *format, va_list values)
{
	char line[LINE];
	int saved = errno; /* %m means the caller's */
	int used = vsnprintf(line, sizeof line - 1, format, values);
	int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (used > (int)sizeof line - 2)
		used = sizeof line - 2;
	if (file >= 0 && used > 0) {
		line[used++] = '\n';
		if (write(file, line, used) != used)
			abort(); /* a test that misses a line would look for the wrong fault */
	}
	if (file >= 0)
		close(file);
	errno = saved;
}

void openlog(const char *name, int options, int facility)
{
	(void)name, (void)options, (void)facility;
}

void closelog(void)
{
}

void vsyslog(int priority, const char *format, va_list values)
{
	(void)priority;
	write_line(format, values);
}

void syslog(int priority, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsyslog(priority, format, values);
	va_end(values);
}

/* What syslog() becomes where a program is compiled with _FORTIFY_SOURCE, as Debian's are. */
void __vsyslog_chk(int priority, int flag, const char *format, va_list values)
{
	(void)flag;
	vsyslog(priority, format, values);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	__vsyslog_chk(priority, flag, format, values);
	va_end(values);
}

int gethostname(char *name, size_t size)
{
	snprintf(name, size, "%s", host);
	return 0;
}
