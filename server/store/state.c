/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "plain_file.h"
#include "text.h"

#define DEVICES_FILE "devices.json"
#define DEVICES_MAX 65536
/* So many damaged files of one name are kept; after that the directory wants a person's eye. */
#define ASIDE_MAX 99

/* The lock lets one thread at a time read and write devices.json. */
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;

/* Makes the directory and its parents, as mkdir -p does. A path that can never be one is an error. */
static enum err_code make_dir(const char *path, struct err *err)
{
	char part[1024];
	size_t len = strlen(path);
	int failure = 0;
	if (len == 0 || len >= sizeof part) {
		return err_set(err, ERR_IO, "the path of the state directory is empty or too long");
	}
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0') {
			continue;
		}
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) == 0 || errno == EEXIST) {
			continue;
		}
		failure = failure == 0 ? errno : failure;
		if (errno == ENOTDIR || (errno == ENOENT && failure == ENOENT)) {
			return err_set(err, ERR_IO, "cannot make the directory %.150s: %s", part,
				strerror(errno));
		}
	}
	struct stat facts;
	/* A directory that is not there because the disk is full or read-only costs the memory, not the night. */
	bool absent = stat(path, &facts) != 0;
	if (absent && failure != ENOSPC && failure != EROFS && failure != EACCES && failure != EDQUOT) {
		return err_set(
			err, ERR_IO, "cannot make the directory %.150s: %s", path, strerror(errno));
	}
	if (!absent && !S_ISDIR(facts.st_mode)) {
		return err_set(err, ERR_IO, "%.150s is not a directory", path);
	}
	return ERR_OK;
}

static enum err_code take_dir(const char *path, char *out, size_t cap, struct err *err)
{
	if (strlen(path) >= cap) {
		return err_set(err, ERR_IO, "the path of the state directory is too long");
	}
	enum err_code rc = make_dir(path, err);
	if (rc == ERR_OK) {
		memcpy(out, path, strlen(path) + 1);
	}
	return rc;
}

enum err_code state_dir(const char *option, char *out, size_t cap, struct err *err)
{
	char path[1024];
	if (option != NULL) {
		return take_dir(option, out, cap, err);
	}
	const char *from = getenv("STATE_DIRECTORY");
	if (from != NULL && from[0] != '\0') {
		/* systemd may name several directories, separated by colons; the first is ours. */
		snprintf(path, sizeof path, "%.*s", (int)strcspn(from, ":"), from);
		return take_dir(path, out, cap, err);
	}
	if (take_dir("/var/lib/focusd", out, cap, NULL) == ERR_OK && access(out, W_OK | X_OK) == 0) {
		return ERR_OK;
	}
	from = getenv("XDG_STATE_HOME");
	if (from != NULL && from[0] == '/') {
		snprintf(path, sizeof path, "%s/focusd", from);
		return take_dir(path, out, cap, err);
	}
	from = getenv("HOME");
	if (from != NULL && from[0] == '/') {
		snprintf(path, sizeof path, "%s/.local/state/focusd", from);
		return take_dir(path, out, cap, err);
	}
	return err_set(err, ERR_IO, "no place for the state directory: give one with --state-dir");
}

enum err_code state_lock(const char *dir, int *fd, struct err *err)
{
	char path[1100];
	snprintf(path, sizeof path, "%s/lock", dir);
	int lock = plain_file_open(path, O_RDWR | O_CREAT);
	char aside[STATE_PATH_MAX];
	if (lock < 0 && (errno == ELOOP || errno == EISDIR || errno == EINVAL)) {
		const char *reason = plain_file_reason(errno);
		if (state_put_aside(path, aside)) {
			log_error("focusd", "%s could not be used, %s: it is now %s", path, reason, aside);
			lock = plain_file_open(path, O_RDWR | O_CREAT);
		}
	}
	if (lock < 0) {
		/* A lock holds as well on a file that is open for reading alone. */
		lock = plain_file_open(path, O_RDONLY);
	}
	if (lock < 0) {
		log_error("focusd", "cannot open %s: %s; a second focusd on this directory would not be noticed", path,
			plain_file_reason(errno));
		*fd = -1;
		return ERR_OK;
	}
	char pid[24];
	if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		int why = errno;
		ssize_t n = why == EWOULDBLOCK ? read(lock, pid, sizeof pid - 1) : 0;
		close(lock);
		if (why != EWOULDBLOCK) {
			return err_set(err, ERR_IO, "cannot lock %.150s: %s", path, strerror(why));
		}
		pid[n > 0 ? n : 0] = '\0';
		pid[strspn(pid, "0123456789")] = '\0';
		return err_set(err, ERR_INVALID_OPERATION,
			"another focusd (process %s) works in %.60s: stop it, or give this one a "
			"--state-dir of its own",
			pid[0] != '\0' ? pid : "unknown", dir);
	}
	/* The number is written for the message above only; the lock is what counts. */
	int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(lock, 0) != 0 || pwrite(lock, pid, (size_t)n, 0) != n) {
		log_debug("focusd", "cannot write %s: %s", path, strerror(errno));
	}
	*fd = lock;
	return ERR_OK;
}

void state_unlock(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* After the rename the directory, which holds the name, must reach the disk as well. */
static bool sync_dir_of(const char *path)
{
	char dir[1024];
	const char *slash = strrchr(path, '/');
	if (slash == NULL) {
		snprintf(dir, sizeof dir, ".");
	} else {
		snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	}
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	bool ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

enum err_code state_write_file(const char *path, const void *data, size_t len, struct err *err)
{
	char temporary[1100];
	int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= 1024) {
		return err_set(err, ERR_IO, "the path of %.100s is too long", path);
	}
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		return err_set(err, ERR_IO, "cannot write %.150s: %s", path, strerror(errno));
	}
	bool ok = fchmod(fd, 0644) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
	int failure = errno;
	if (close(fd) != 0 && ok) {
		ok = false;
		failure = errno;
	}
	if (ok && rename(temporary, path) != 0) {
		ok = false;
		failure = errno;
	}
	if (!ok) {
		unlink(temporary);
		return err_set(err, ERR_IO, "cannot write %.150s: %s", path, strerror(failure));
	}
	if (!sync_dir_of(path)) {
		return err_set(err, ERR_IO, "cannot write the directory of %.150s: %s", path,
			strerror(errno));
	}
	return ERR_OK;
}

static bool is_uuid(const char *text)
{
	if (strlen(text) != 36) {
		return false;
	}
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL) {
			return false;
		}
	}
	return true;
}

/* Makes a random UUID, RFC 4122 version 4. */
static enum err_code make_uuid(char out[37], struct err *err)
{
	unsigned char b[16];
	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
		return err_set(
			err, ERR_IO, "the system has no random numbers: %s", strerror(errno));
	}
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		b[13], b[14], b[15]);
	return ERR_OK;
}

bool state_put_aside(const char *path, char aside[STATE_PATH_MAX])
{
	for (int n = 1; n <= ASIDE_MAX; n++) {
		int len = snprintf(aside, STATE_PATH_MAX, "%s.damaged-%d", path, n);
		if (len < 0 || len >= STATE_PATH_MAX) {
			return false;
		}
		struct stat facts;
		if (lstat(aside, &facts) != 0 && errno == ENOENT) {
			return rename(path, aside) == 0;
		}
	}
	errno = EEXIST;
	return false;
}

bool state_can_write(const char *dir, struct err *err)
{
	/* Access rights do not tell of a full disk, and a byte may find room where a file does not. The trial need not
	 * survive a power cut, so nothing waits for the disk: a start would take as long as a slow card needs. */
	static char block[4096];
	char path[STATE_PATH_MAX];
	snprintf(path, sizeof path, "%s/try.XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err_set(err, ERR_IO, "cannot write in %.150s: %s", dir, strerror(errno));
		return false;
	}
	bool ok = write_all(fd, block, sizeof block);
	int failure = errno;
	if (close(fd) != 0 && ok) {
		ok = false;
		failure = errno;
	}
	unlink(path);
	if (!ok) {
		err_set(err, ERR_IO, "cannot write in %.150s: %s", dir, strerror(failure));
	}
	return ok;
}

/* Puts a file of ids that cannot be used aside and says so, because clients know the devices by the ids in it. */
static void give_up_ids(const char *path, const char *reason)
{
	char aside[STATE_PATH_MAX];
	if (state_put_aside(path, aside)) {
		log_error("focusd", "%s was damaged (%s): kept as %s, begun anew; devices have new ids, by which "
			"clients may have to choose them again", path, reason, aside);
	} else {
		log_error("focusd", "%s is damaged (%s) and cannot be put aside: %s; devices have new ids, by which "
			"clients may have to choose them again", path, reason, strerror(errno));
	}
}

/* Reads the file of ids; NULL when there is none that can be used. An id that is none makes the file damaged, and the
 * others in it still count. */
static struct json *read_ids(const char *path, struct buf *text)
{
	if (!plain_file_read(path, text)) {
		if (errno != ENOENT) {
			give_up_ids(path, plain_file_reason(errno));
		}
		return NULL;
	}
	struct err why;
	struct json *known = text->len > 0 ? json_parse((struct span){text->data, text->len}, &why) : NULL;
	if (known == NULL || !json_is_object(known)) {
		give_up_ids(path, text->len == 0 ? "it is empty" : known == NULL ? why.text : "it is no JSON object");
		json_free(known);
		return NULL;
	}
	const char *name, *id;
	const struct json *value;
	for (int i = 0; json_member(known, i, &name, &value); i++) {
		if (!json_as_string(value, &id) || !is_uuid(id)) {
			give_up_ids(path, "an id in it is none");
			break;
		}
	}
	return known;
}

/* Writes all ids that are known, and a new one. */
static enum err_code write_ids(const char *path, const struct json *known, const char *key, const char *made,
	struct err *err)
{
	struct buf fresh;
	buf_init(&fresh, 2 * DEVICES_MAX);
	struct json_writer w;
	json_begin(&w, &fresh);
	json_object(&w);
	const char *name, *id;
	const struct json *value;
	for (int i = 0; known != NULL && json_member(known, i, &name, &value); i++) {
		if (strcmp(name, key) != 0 && json_as_string(value, &id) && is_uuid(id)) {
			json_key_string(&w, name, id);
		}
	}
	json_key_string(&w, key, made);
	json_end_object(&w);
	buf_putc(&fresh, '\n');
	enum err_code rc = fresh.failed ? err_set(err, ERR_NOMEM, "out of memory")
					: state_write_file(path, fresh.data, fresh.len, err);
	buf_fini(&fresh);
	return rc;
}

/* Finds the id that the file gives for key, or makes a new one and writes it to the file. */
static enum err_code find_or_make(
	const char *path, const char *key, struct buf *text, char out[37], struct err *err)
{
	struct json *known = read_ids(path, text);
	const char *id;
	const struct json *value = known == NULL ? NULL : json_get(known, key);
	if (value != NULL && json_as_string(value, &id) && is_uuid(id)) {
		memcpy(out, id, 37);
		json_free(known);
		return ERR_OK;
	}
	char made[37];
	struct err why = {0};
	enum err_code rc = make_uuid(made, err);
	if (rc == ERR_OK && write_ids(path, known, key, made, &why) != ERR_OK) {
		/* A disk that takes no writes must not keep a telescope from focusing. */
		log_error("focusd", "the id of %s is not remembered: %s; clients will see another after a restart", key,
			why.text);
	}
	json_free(known);
	if (rc == ERR_OK) {
		memcpy(out, made, sizeof made);
	}
	return rc;
}

enum err_code state_unique_id(const char *dir, const char *key, char out[37], struct err *err)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/" DEVICES_FILE, dir);
	struct buf text;
	buf_init(&text, DEVICES_MAX);
	pthread_mutex_lock(&devices_lock);
	enum err_code rc = find_or_make(path, key, &text, out, err);
	pthread_mutex_unlock(&devices_lock);
	buf_fini(&text);
	return rc;
}
