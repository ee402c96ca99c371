/* SPDX-License-Identifier: MIT */
#include "exec_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"
#include "turn.h"

/* The command is given this much of a file: the largest frame that is read (2^28 pixels of 16 bits) and a preview. */
#define FILE_MOST_BYTES ((rlim_t)1 << 30)
/* What is printed is taken in pieces of this size, and at most so many at a time, so that a command that floods does
 * not keep the camera's worker busy. */
enum { PIECE = 4096, PIECES = 16 };
/* Its end is looked for this often while somebody waits for it (real milliseconds). */
#define LOOK_MS 20

/* ---- the child: nothing but calls that are safe behind fork() in a program with threads ---- */

static _Noreturn void be_command(char *const argv[], const char *cwd, int null_fd, int output, int report)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int signal_number = 1; signal_number < NSIG; signal_number++) {
		signal(signal_number, SIG_DFL);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	turn_background(0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){FILE_MOST_BYTES, FILE_MOST_BYTES});
	dup2(null_fd, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	/* The pipe that tells of a failure closes when the command begins, and all other files with it. */
	if (dup2(report, STDERR_FILENO + 1) >= 0 && fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC) == 0) {
		close_range(STDERR_FILENO + 2, ~0u, 0);
		if (chdir(cwd) == 0) {
			execv(argv[0], argv);
		}
	}
	int why = errno;
	ssize_t n = write(STDERR_FILENO + 1, &why, sizeof why);
	_exit(n == (ssize_t)sizeof why ? 127 : 126);
}

/* ---- the caller ---- */

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

enum err_code exec_child_start(struct exec_child *child, char *const argv[], const char *cwd, struct err *err)
{
	enum { NULL_FD, SAID, SAYS, REPORT, REPORTS, FDS };
	int fds[FDS] = {-1, -1, -1, -1, -1};
	*child = (struct exec_child){.output = -1};
	fds[NULL_FD] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fds[NULL_FD] < 0 || pipe2(&fds[SAID], O_CLOEXEC) != 0 || pipe2(&fds[REPORT], O_CLOEXEC) != 0 ||
		fcntl(fds[SAID], F_SETFL, O_NONBLOCK) != 0) {
		int why = errno;
		close_all(fds, FDS);
		return err_set(err, ERR_IO, "%s cannot be started: %s", argv[0], strerror(why));
	}
	pid_t pid = fork();
	if (pid == 0) {
		be_command(argv, cwd, fds[NULL_FD], fds[SAYS], fds[REPORTS]);
	}
	int why = errno;
	/* Both sides set the group, because a signal may be sent before the child has come to it. */
	if (pid > 0) {
		setpgid(pid, pid);
	}
	close(fds[SAYS]);
	close(fds[REPORTS]);
	fds[SAYS] = fds[REPORTS] = -1;
	ssize_t n = pid > 0 ? read(fds[REPORT], &why, sizeof why) : (ssize_t)sizeof why;
	if (n == (ssize_t)sizeof why) {
		if (pid > 0) {
			waitpid(pid, NULL, 0);
		}
		close_all(fds, FDS);
		return err_set(err, ERR_IO, "%s cannot be started: %s", argv[0], strerror(why));
	}
	child->pid = pid;
	child->output = fds[SAID];
	close(fds[NULL_FD]);
	close(fds[REPORT]);
	return ERR_OK;
}

/* A line of output is over. It may stand on the page and in JSON, so that what is no text becomes a question mark. */
static void line_over(struct exec_child *child)
{
	bool text = text_is_utf8((struct span){child->line, child->line_len});
	for (size_t i = 0; i < child->line_len; i++) {
		unsigned char c = (unsigned char)child->line[i];
		if (c < ' ' || c == 0x7F) {
			child->line[i] = ' ';
		} else if (c > 0x7F && !text) {
			child->line[i] = '?';
		}
	}
	child->line[child->line_len] = '\0';
	if (child->line[strspn(child->line, " ")] != '\0') {
		memcpy(child->said, child->line, sizeof child->said);
	}
	child->line_len = 0;
}

static void take_output(struct exec_child *child)
{
	char piece[PIECE];
	for (int i = 0; i < PIECES && child->output >= 0; i++) {
		ssize_t n = read(child->output, piece, sizeof piece);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) {
			close(child->output);
			child->output = -1;
			return;
		}
		for (ssize_t k = 0; k < n; k++) {
			if (piece[k] == '\n' || piece[k] == '\r') {
				line_over(child);
			} else if (child->line_len < sizeof child->line - 1) {
				child->line[child->line_len++] = piece[k];
			}
		}
	}
}

bool exec_child_ended(struct exec_child *child)
{
	if (child->pid == 0) {
		return true;
	}
	take_output(child);
	if (child->asked && clock_now_ms(clock_real()) >= child->kill_ms) {
		kill(-child->pid, SIGKILL);
	}
	siginfo_t info = {0};
	/* The leader is left as it is until its group was killed, so that the number of the group stays its own. */
	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
		return false;
	}
	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
	}
	child->pid = 0;
	take_output(child);
	line_over(child);
	if (child->output >= 0) {
		close(child->output);
		child->output = -1;
	}
	return true;
}

void exec_child_ask(struct exec_child *child)
{
	if (child->pid != 0 && !child->asked) {
		child->asked = true;
		child->kill_ms = clock_now_ms(clock_real()) + EXEC_CHILD_GRACE_MS;
		kill(-child->pid, SIGTERM);
	}
}

void exec_child_end(struct exec_child *child, int grace_ms)
{
	exec_child_ask(child);
	int64_t kill_ms = clock_now_ms(clock_real()) + grace_ms;
	if (kill_ms < child->kill_ms) {
		child->kill_ms = kill_ms;
	}
	while (!exec_child_ended(child)) {
		struct pollfd wait = {.fd = child->output, .events = POLLIN};
		poll(&wait, child->output >= 0 ? 1 : 0, LOOK_MS);
	}
}

enum err_code exec_child_verdict(const struct exec_child *child, const char *name, struct err *err)
{
	const char *said = child->said[0] != '\0' ? child->said : "it said nothing";
	if (WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0) {
		return ERR_OK;
	}
	if (WIFEXITED(child->status)) {
		return err_set(err, ERR_REFUSED, "%.60s failed (%d): %.150s", name, WEXITSTATUS(child->status), said);
	}
	const char *how = sigdescr_np(WTERMSIG(child->status));
	return err_set(err, ERR_REFUSED, "%.60s was ended by a signal (%.30s): %.100s", name,
		how != NULL ? how : "unknown", said);
}
