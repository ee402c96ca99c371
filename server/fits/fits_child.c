/* SPDX-License-Identifier: MIT */
/*
 * The child answers in a file in memory: one page of facts, then the pixels.  The caller waits for the end of a
 * pipe, which closes when the child ends, however it ends.  Nothing that the child wrote is believed before it was
 * checked, because a parser that was led astray may have written anything.
 */
#include "fits_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fits_library.h"
#include "fits_parse.h"
#include "pgm_parse.h"
#include "raw_library.h"
#include "raw_parse.h"
#include "text.h"
#include "turn.h"

/* The facts take so many bytes before the pixels: whole pages on every machine that this runs on. */
#define FACTS_SIZE 65536

/* So nice, in the sense of nice(2), whoever asked for the file. */
#define CHILD_NICE 5

struct answer {
	bool complete; /* the child reached its end */
	enum err_code code;
	struct err err;
	struct fits_frame frame; /* its pointers mean nothing here */
};
_Static_assert(sizeof(struct answer) <= FACTS_SIZE, "the facts fit in front of the pixels");

/* ---- the child ---- */

static void *room_in_file(void *arg, size_t bytes)
{
	const int *fd = arg;
	if (ftruncate(*fd, (off_t)(FACTS_SIZE + bytes)) != 0) {
		return NULL;
	}
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, FACTS_SIZE);
	return memory == MAP_FAILED ? NULL : memory;
}

/* Bytes of address space that this process has; 0 when that cannot be read. */
static int64_t own_size(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	uint32_t pages = 0;
	size_t len = n > 0 ? strcspn(text, " ") : 0;
	return text_parse_u32((struct span){text, len}, &pages) ? (int64_t)pages * sysconf(_SC_PAGESIZE) : 0;
}

static void limit(int what, rlim_t value)
{
	struct rlimit old;
	if (getrlimit(what, &old) == 0 && value < old.rlim_max) {
		setrlimit(what, &(struct rlimit){.rlim_cur = value, .rlim_max = value});
	}
}

/* Nothing of the server's may be reached from here: no port, no socket, no database, no handler of signals. */
static void shut_in(int fd, int64_t time_ms)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	turn_background(CHILD_NICE);
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGXCPU, SIGPIPE};
	for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
		signal(fatal[i], SIG_DFL);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd > STDERR_FILENO + 1) {
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	}
	close_range((unsigned)fd + 1, ~0u, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, (rlim_t)(time_ms / 1000) + 1);
	int64_t size = own_size();
	if (size > 0) {
		limit(RLIMIT_AS, (rlim_t)(size + FITS_CHILD_MEMORY));
	}
}

static enum err_code parse(const struct fits_file *file, const struct fits_room *room, struct fits_frame *out,
	struct err *err)
{
	switch (file->kind) {
	case FILE_PGM:
		return pgm_parse(file->path, room, out, err);
	case FILE_RAW:
		return raw_parse(file->path, file->kind_name, room, out, err);
	case FILE_FITS:
		break;
	}
	return fits_parse(file->path, room, out, err);
}

static void be_child(int fd, const struct fits_file *file, enum fits_want want)
{
	static struct answer answer; /* a child has a copy of its own */
	memset(&answer, 0, sizeof answer);
	struct fits_room room = {.exact = want == FITS_DOUBLES, .plane = want == FITS_PLANE ? file->plane : -1,
		.take = room_in_file, .arg = &fd};
	answer.code = parse(file, want != FITS_FACTS ? &room : NULL, &answer.frame, &answer.err);
	answer.complete = true;
	ssize_t n = pwrite(fd, &answer, sizeof answer, 0);
	_exit(n == (ssize_t)sizeof answer ? 0 : 1);
}

/* ---- the caller ---- */

/* How the waiting for a child ended. */
enum waited { CHILD_ENDED, CHILD_LATE, CHILD_UNWANTED };

/* Waits until the child has closed its end of the pipe, the time is up, or the caller gives the frame up. */
static enum waited wait_for_end(int end, int give_up, int64_t deadline_ms)
{
	for (;;) {
		/* poll() passes over a negative descriptor. */
		struct pollfd wait[] = {{.fd = end, .events = POLLIN}, {.fd = give_up, .events = POLLIN}};
		int n = poll(wait, 2, clock_poll_timeout(clock_real(), deadline_ms));
		if (n > 0) {
			return wait[0].revents != 0 ? CHILD_ENDED : CHILD_UNWANTED;
		}
		if ((n == 0 && clock_now_ms(clock_real()) >= deadline_ms) || (n < 0 && errno != EINTR)) {
			return CHILD_LATE;
		}
	}
}

static int reap(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return status;
}

/* Tells what became of a child that did not reach its end. */
static enum err_code tell_end(const char *path, bool late, int status, int64_t time_ms, struct err *err)
{
	if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)) {
		return err_set(err, ERR_IO,
			"%s is damaged, or too large for this machine: reading it was given up after %d s", path,
			(int)(time_ms / 1000));
	}
	const char *how = WIFSIGNALED(status) ? sigdescr_np(WTERMSIG(status)) : NULL;
	return err_set(err, ERR_IO, "%s is damaged: the library that reads it failed (%s)", path,
		how != NULL ? how : "it gave no answer");
}

/* Takes over what the child left in the file. */
static enum err_code take_answer(const char *path, enum fits_want want, int fd, struct fits_frame *out, struct err *err)
{
	static const char untrue[] = "%s is damaged: the library that reads it was led astray";
	struct answer answer;
	struct stat file;
	if (pread(fd, &answer, sizeof answer, 0) != (ssize_t)sizeof answer || !answer.complete ||
		fstat(fd, &file) != 0) {
		return err_set(err, ERR_IO, untrue, path);
	}
	answer.err.text[sizeof answer.err.text - 1] = '\0';
	if (answer.code != ERR_OK) {
		bool lawful = answer.code == ERR_NOMEM || answer.code == ERR_IO;
		return err_set(err, lawful ? answer.code : ERR_IO, "%s", answer.err.text);
	}
	struct fits_frame frame = answer.frame;
	frame.pixels = NULL;
	frame.exact = NULL;
	frame.mapping = NULL;
	if (frame.width <= 0 || frame.height <= 0 || frame.bin < 1 || frame.planes < 1 ||
		(int64_t)frame.width > FITS_MOST_PIXELS / frame.height ||
		(frame.mosaic != IMAGE_MONO && frame.mosaic != IMAGE_BAYER) || (frame.bayer_x & ~1) != 0 ||
		(frame.bayer_y & ~1) != 0 || (unsigned)frame.type > IMAGE_F64 || frame.start_utc_ms < 0 ||
		frame.start_utc_ms > FITS_LATEST_MS) {
		return err_set(err, ERR_IO, untrue, path);
	}
	if (want != FITS_FACTS) {
		bool exact = want == FITS_DOUBLES || (want == FITS_PLANE && fits_type_is_wide(frame.type));
		size_t size = exact ? sizeof *frame.exact : sizeof *frame.pixels;
		size_t bytes = (size_t)frame.width * (size_t)frame.height * size;
		if (file.st_size < 0 || (size_t)file.st_size < FACTS_SIZE + bytes) {
			return err_set(err, ERR_IO, untrue, path);
		}
		void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FACTS_SIZE);
		if (memory == MAP_FAILED) {
			return err_set(err, ERR_NOMEM, "no memory for the %d x %d pixels of %s", (int)frame.width,
				(int)frame.height, path);
		}
		frame.mapping = memory;
		frame.mapping_size = bytes;
		frame.pixels = exact ? NULL : memory;
		frame.exact = exact ? memory : NULL;
	}
	*out = frame;
	return ERR_OK;
}

/* Waits for the child that reads path, ends it when it takes too long or is not wanted any more, and takes over what it
 * left. */
static enum err_code see_through(pid_t pid, const char *path, enum fits_want want, int end, int give_up, int fd,
	struct fits_frame *out, struct err *err)
{
	int64_t time_ms = want == FITS_FACTS ? FITS_CHILD_FACTS_MS : FITS_CHILD_PIXELS_MS;
	enum waited how = wait_for_end(end, give_up, clock_now_ms(clock_real()) + time_ms);
	if (how != CHILD_ENDED) {
		kill(pid, SIGKILL);
	}
	int status = reap(pid);
	if (how == CHILD_UNWANTED) {
		return err_set(err, ERR_CANCELLED, "reading %s was given up", path);
	}
	if (how == CHILD_LATE || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		return tell_end(path, how == CHILD_LATE, status, time_ms, err);
	}
	return take_answer(path, want, fd, out, err);
}

/* Has the library that the child needs loaded. */
static enum err_code load_library(enum file_kind kind, struct err *err)
{
	return kind == FILE_FITS ? fits_library_load(err) : kind == FILE_RAW ? raw_library_load(err) : ERR_OK;
}

enum err_code fits_child_read(const struct fits_file *file, enum fits_want want, int give_up, struct fits_frame *out,
	struct err *err)
{
	const char *path = file->path;
	enum err_code code = load_library(file->kind, err);
	if (code != ERR_OK) {
		return code;
	}
	int64_t time_ms = want == FITS_FACTS ? FITS_CHILD_FACTS_MS : FITS_CHILD_PIXELS_MS;
	int end[2] = {-1, -1};
	int fd = memfd_create("frame", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, FACTS_SIZE) != 0 || pipe2(end, O_CLOEXEC) != 0) {
		int why = errno;
		if (fd >= 0) {
			close(fd);
		}
		return err_set(err, ERR_NOMEM, "cannot read %s: %s", path, strerror(why));
	}
	pid_t pid = fork();
	if (pid == 0) {
		/* What the caller has printed and not flushed yet is the caller's to print, and not the child's too. */
		__fpurge(stdout);
		__fpurge(stderr);
		/* The child closes all files but the writing end of the pipe, so that end takes the place of standard
		 * input. */
		dup2(end[1], STDIN_FILENO);
		shut_in(fd, time_ms);
		be_child(fd, file, want);
	}
	int why = errno;
	close(end[1]);
	if (pid < 0) {
		code = err_set(err, ERR_NOMEM, "cannot read %s: %s", path, strerror(why));
	} else {
		code = see_through(pid, path, want, end[0], give_up, fd, out, err);
	}
	close(end[0]);
	close(fd);
	return code;
}
