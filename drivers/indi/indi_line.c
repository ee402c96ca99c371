/* SPDX-License-Identifier: MIT */
#include "indi_line.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "moment.h"
#include "tcp.h"
#include "text.h"
#include "transport.h"

/* A driver's call may last two seconds. */
#define CONNECT_MS 1500
#define SEND_MS 1000
/* A server that hangs is not waited for longer at the end. */
#define PART_MS 500
/* So often somebody who waits looks whether something urgent has come. */
#define LOOK_MS 20
/* After so long without a word the server is asked for one, and after as long again without an answer it hangs.  A
 * server that never answered such a question (before 1.9.3) is not asked again. */
#define SILENCE_MS 8000

/* Bytes that are read at once. */
#define READ_BYTES (64 << 10)

/* A vector with the members of a camera's frame takes 300 bytes; names may be long. */
#define SENT_MAX 8192

struct indi_line {
	char address[INDI_ADDRESS];
	int fd;
	int wake;                /* eventfd: the reader shall end */
	pthread_t reader;
	bool running;            /* the reader was begun */
	_Atomic bool lost;       /* set with the lock held, after why */
	pthread_mutex_t send_lock;
	pthread_mutex_t lock;    /* guards what follows; taken after send_lock, never before it */
	pthread_cond_t news;
	struct indi_store store;
	struct indi_xml *xml;    /* of the reader */
	struct indi_ear *ears;
	struct err why;
	bool answers_pings;
};

enum err_code indi_address(const char *port, char out[INDI_ADDRESS], struct err *err)
{
	static const char scheme[] = "tcp://";
	const char *host = strncmp(port, scheme, sizeof scheme - 1) == 0 ? port + sizeof scheme - 1 : NULL;
	if (host == NULL || *host == '\0' || strlen(host) + sizeof INDI_PORT + 1 > INDI_ADDRESS) {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.100s' is no INDI server: give tcp://host:port, for one on this machine "
			"tcp://localhost:" INDI_PORT, port);
	}
	const char *behind = strchr(host, ']');
	bool has_port = strchr(behind != NULL ? behind : host, ':') != NULL;
	snprintf(out, INDI_ADDRESS, "%s%s", host, has_port ? "" : ":" INDI_PORT);
	return ERR_OK;
}

enum err_code indi_read_port(const char *port, struct err *err)
{
	char address[INDI_ADDRESS];
	char whole[INDI_ADDRESS + sizeof "tcp://"];
	enum err_code code = indi_address(port, address, err);
	snprintf(whole, sizeof whole, "tcp://%s", code == ERR_OK ? address : "");
	return code == ERR_OK ? transport_read_name(whole, err) : code;
}

/* ---- sending ---- */

void indi_escape(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': buf_puts(out, "&amp;"); break;
		case '<': buf_puts(out, "&lt;"); break;
		case '>': buf_puts(out, "&gt;"); break;
		case '"': buf_puts(out, "&quot;"); break;
		case '\'': buf_puts(out, "&apos;"); break;
		default: buf_putc(out, *text); break;
		}
	}
}

enum err_code indi_send(int fd, const char *data, size_t len, int64_t deadline_ms, struct err *err)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return err_set(err, ERR_IO, "the connection to the INDI server broke: %s", strerror(errno));
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};
			if (poll(&p, 1, clock_poll_timeout(clock_real(), deadline_ms)) == 0) {
				return err_set(err, ERR_IO, "the INDI server does not take what is sent to it");
			}
		}
	}
	return ERR_OK;
}

/* Marks the line as lost and tells everybody; with the lock. */
static void lose(struct indi_line *line, const struct err *why)
{
	if (atomic_load(&line->lost)) {
		return;
	}
	line->why = *why;
	line->why.code = ERR_IO;
	atomic_store(&line->lost, true);
	struct indi_post post = {.lost = true};
	for (struct indi_ear *ear = line->ears; ear != NULL; ear = ear->next) {
		ear->host->post(ear->host->post_ctx, &post, sizeof post);
	}
	pthread_cond_broadcast(&line->news);
}

static enum err_code send_text(struct indi_line *line, const struct buf *text, struct err *err)
{
	if (text->failed) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	pthread_mutex_lock(&line->send_lock);
	enum err_code code = indi_line_check(line, err);
	if (code == ERR_OK) {
		struct err why;
		code = indi_send(line->fd, text->data, text->len, real_ms() + SEND_MS, &why);
		if (code != ERR_OK) {
			/* Half an element may have gone out, so nothing that follows would be understood. */
			pthread_mutex_lock(&line->lock);
			lose(line, &why);
			pthread_mutex_unlock(&line->lock);
			err_copy(err, &why);
		}
	}
	pthread_mutex_unlock(&line->send_lock);
	return code;
}

static void begin_vector(struct buf *text, const char *type, const char *device, const char *property)
{
	buf_init(text, SENT_MAX);
	buf_printf(text, "<new%sVector device=\"", type);
	indi_escape(text, device);
	buf_puts(text, "\" name=\"");
	indi_escape(text, property);
	buf_puts(text, "\">");
}

static void put_member(struct buf *text, const char *type, const char *member, const char *value)
{
	buf_printf(text, "<one%s name=\"", type);
	indi_escape(text, member);
	buf_printf(text, "\">%s</one%s>", value, type);
}

static enum err_code send_vector(struct indi_line *line, struct buf *text, const char *type, struct err *err)
{
	buf_printf(text, "</new%sVector>\n", type);
	enum err_code code = send_text(line, text, err);
	buf_fini(text);
	return code;
}

enum err_code indi_line_set(struct indi_line *line, const char *device, const char *property,
	const struct indi_set *set, size_t count, struct err *err)
{
	struct buf text;
	begin_vector(&text, "Number", device, property);
	for (size_t i = 0; i < count; i++) {
		char value[32];
		text_print_double(value, set[i].value);
		put_member(&text, "Number", set[i].member, value);
	}
	return send_vector(line, &text, "Number", err);
}

enum err_code indi_line_switch(struct indi_line *line, const char *device, const char *property, const char *member,
	struct err *err)
{
	struct buf text;
	begin_vector(&text, "Switch", device, property);
	put_member(&text, "Switch", member, "On");
	return send_vector(line, &text, "Switch", err);
}

static enum err_code send_word(struct indi_line *line, const char *word, struct err *err)
{
	struct buf text;
	buf_init(&text, SENT_MAX);
	buf_puts(&text, word);
	enum err_code code = send_text(line, &text, err);
	buf_fini(&text);
	return code;
}

/* ---- the reader ---- */

static void on_element(void *ctx, const struct indi_element *e)
{
	struct indi_line *line = ctx;
	struct indi_news news;
	if (strcmp(indi_element_tag(e, 0), "pingReply") == 0) {
		line->answers_pings = true;
		return;
	}
	if (!indi_store_take(&line->store, e, &news)) {
		struct err why;
		err_set(&why, ERR_IO, "out of memory for what the INDI server tells");
		lose(line, &why);
		return;
	}
	struct indi_post post = {.lost = false};
	for (struct indi_ear *ear = line->ears; ear != NULL; ear = ear->next) {
		bool concerned = news.device[0] != '\0'
			&& (ear->device[0] == '\0' || strcmp(ear->device, news.device) == 0);
		if (concerned && !ear->told) {
			ear->told = ear->host->post(ear->host->post_ctx, &post, sizeof post);
		}
	}
	pthread_cond_broadcast(&line->news);
}

static const struct indi_xml_handlers line_handlers = {.element = on_element};

/* Reads what is there.  False when the line is lost. */
static bool read_some(struct indi_line *line, char *data)
{
	struct err why;
	ssize_t n = recv(line->fd, data, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	pthread_mutex_lock(&line->lock);
	enum err_code code;
	if (n > 0) {
		code = indi_xml_feed(line->xml, data, (size_t)n, &why);
	} else {
		code = err_set(&why, ERR_IO, "the INDI server %s %s", line->address,
			n == 0 ? "has ended the connection" : strerror(errno));
	}
	if (code != ERR_OK) {
		lose(line, &why);
	}
	bool goes_on = !atomic_load(&line->lost);
	pthread_mutex_unlock(&line->lock);
	return goes_on;
}

/* What happens when nothing has come for a while.  False when the line is lost. */
static bool after_silence(struct indi_line *line, bool asked)
{
	struct err err;
	pthread_mutex_lock(&line->lock);
	bool answers = line->answers_pings;
	if (answers && asked) {
		err_set(&err, ERR_IO, "the INDI server %s does not answer any more", line->address);
		lose(line, &err);
	}
	pthread_mutex_unlock(&line->lock);
	if (!answers) {
		return true;
	}
	return !asked && send_word(line, "<pingRequest uid=\"focusd\"/>\n", &err) == ERR_OK;
}

static void *read_line(void *arg)
{
	struct indi_line *line = arg;
	char *data = malloc(READ_BYTES);
	bool goes_on = data != NULL;
	bool asked = false;
	if (!goes_on) {
		struct err why;
		err_set(&why, ERR_IO, "out of memory");
		pthread_mutex_lock(&line->lock);
		lose(line, &why);
		pthread_mutex_unlock(&line->lock);
	}
	while (goes_on) {
		struct pollfd p[2] = {{.fd = line->fd, .events = POLLIN}, {.fd = line->wake, .events = POLLIN}};
		int n = poll(p, 2, SILENCE_MS);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (p[1].revents != 0) {
			break;
		}
		if (n == 0) {
			goes_on = after_silence(line, asked);
			asked = true;
		} else {
			goes_on = read_some(line, data);
			asked = false;
		}
	}
	free(data);
	return NULL;
}

/* ---- making and ending ---- */

/* Says that nothing more will be sent, and waits until the server has read all of it: closing a socket that holds
 * unread bytes makes the other side throw away what it has not read yet, the last orders among it. */
static void part(struct indi_line *line)
{
	int64_t deadline_ms = real_ms() + PART_MS;
	bool late = false;
	shutdown(line->fd, SHUT_WR);
	pthread_mutex_lock(&line->lock);
	while (!atomic_load(&line->lost) && !late) {
		late = clock_wait(clock_real(), &line->news, &line->lock, deadline_ms);
	}
	pthread_mutex_unlock(&line->lock);
}

static void line_end(struct indi_line *line)
{
	if (line->running) {
		part(line);
		uint64_t one = 1;
		/* Writing to a counter that is 0 always succeeds. */
		ssize_t ignored = write(line->wake, &one, sizeof one);
		(void)ignored;
		pthread_join(line->reader, NULL);
	}
	if (line->fd >= 0) {
		close(line->fd);
	}
	if (line->wake >= 0) {
		close(line->wake);
	}
	indi_xml_destroy(line->xml);
	indi_store_fini(&line->store);
	pthread_cond_destroy(&line->news);
	pthread_mutex_destroy(&line->lock);
	pthread_mutex_destroy(&line->send_lock);
}

static enum err_code line_begin(struct indi_line *line, const char *address, int64_t deadline_ms, struct err *err)
{
	snprintf(line->address, sizeof line->address, "%s", address);
	line->fd = -1;
	line->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&line->send_lock, NULL);
	pthread_mutex_init(&line->lock, NULL);
	clock_cond_init(&line->news);
	enum err_code code = line->wake >= 0 ? ERR_OK
		: err_set(err, ERR_IO, "no descriptor for the INDI connection: %s", strerror(errno));
	if (code == ERR_OK) {
		code = indi_xml_create(&line_handlers, line, &line->xml, err);
	}
	if (code == ERR_OK) {
		code = tcp_connect(address, deadline_ms, &line->fd, err);
	}
	/* The first element on a connection decides what it is told of: this one asks for everything. */
	if (code == ERR_OK) {
		code = send_word(line, "<getProperties version=\"1.7\"/>\n<pingRequest uid=\"focusd\"/>\n", err);
	}
	if (code == ERR_OK) {
		line->running = pthread_create(&line->reader, NULL, read_line, line) == 0;
		code = line->running ? ERR_OK : err_set(err, ERR_NOMEM, "no thread for the INDI connection");
	}
	if (code != ERR_OK) {
		line_end(line);
	}
	return code;
}

static enum err_code shared_create(void *shared, const char *key, const void *arg, struct err *err)
{
	(void)key;
	return line_begin(shared, arg, real_ms() + CONNECT_MS, err);
}

static void shared_destroy(void *shared)
{
	line_end(shared);
}

static bool shared_usable(void *shared)
{
	return !atomic_load(&((struct indi_line *)shared)->lost);
}

static const struct driver_shared line_kind = {
	.size = sizeof(struct indi_line),
	.create = shared_create,
	.destroy = shared_destroy,
	.usable = shared_usable,
};

enum err_code indi_line_join(const struct driver_host *host, const char *address, struct indi_line **out,
	struct err *err)
{
	char key[64];
	void *shared = NULL;
	snprintf(key, sizeof key, "indi://%s", address);
	enum err_code code = host->join(host->shared_ctx, key, &line_kind, address, &shared, err);
	if (code == ERR_OK) {
		*out = shared;
	}
	return code;
}

void indi_line_leave(const struct driver_host *host, struct indi_line *line)
{
	host->leave(host->shared_ctx, line);
}

enum err_code indi_line_visit(const char *address, int64_t deadline_ms, struct indi_line **out, struct err *err)
{
	struct indi_line *line = calloc(1, sizeof *line);
	if (line == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = line_begin(line, address, deadline_ms, err);
	if (code != ERR_OK) {
		free(line);
		return code;
	}
	*out = line;
	return ERR_OK;
}

void indi_line_end_visit(struct indi_line *line)
{
	line_end(line);
	free(line);
}

/* ---- devices ---- */

void indi_line_listen(struct indi_line *line, struct indi_ear *ear, const struct driver_host *host,
	const char *device)
{
	pthread_mutex_lock(&line->lock);
	ear->host = host;
	ear->told = false;
	snprintf(ear->device, sizeof ear->device, "%s", device);
	ear->next = line->ears;
	line->ears = ear;
	pthread_mutex_unlock(&line->lock);
}

void indi_line_deaf(struct indi_line *line, struct indi_ear *ear)
{
	pthread_mutex_lock(&line->lock);
	for (struct indi_ear **at = &line->ears; *at != NULL; at = &(*at)->next) {
		if (*at == ear) {
			*at = ear->next;
			break;
		}
	}
	pthread_mutex_unlock(&line->lock);
}

static enum err_code check(const struct indi_line *line, struct err *err)
{
	return atomic_load(&line->lost) ? err_copy(err, &line->why) : ERR_OK;
}

enum err_code indi_line_heard(struct indi_line *line, struct indi_ear *ear, struct err *err)
{
	pthread_mutex_lock(&line->lock);
	ear->told = false;
	enum err_code code = check(line, err);
	pthread_mutex_unlock(&line->lock);
	return code;
}

const struct indi_store *indi_line_look(struct indi_line *line)
{
	pthread_mutex_lock(&line->lock);
	return &line->store;
}

void indi_line_done(struct indi_line *line)
{
	pthread_mutex_unlock(&line->lock);
}

enum err_code indi_line_check(struct indi_line *line, struct err *err)
{
	if (line == NULL) {
		return err_set(err, ERR_NOT_CONNECTED, "the link is not open");
	}
	pthread_mutex_lock(&line->lock);
	enum err_code code = check(line, err);
	pthread_mutex_unlock(&line->lock);
	return code;
}

enum err_code indi_line_wait(struct indi_line *line, const struct driver_host *host, bool yields,
	bool (*true_now)(const struct indi_store *store, void *arg), void *arg, int64_t deadline_ms, struct err *err)
{
	pthread_mutex_lock(&line->lock);
	enum err_code code = check(line, err);
	while (code == ERR_OK && !true_now(&line->store, arg)) {
		int64_t now = real_ms();
		if (now >= deadline_ms) {
			code = err_set(err, ERR_TIMEOUT, "the INDI server %s does not tell what it is waited for",
				line->address);
		} else if (yields && host != NULL && host->urgent != NULL && host->urgent(host->urgent_ctx)) {
			code = err_set(err, ERR_CANCELLED, "something urgent came");
		} else {
			clock_wait(clock_real(), &line->news, &line->lock, sooner(deadline_ms, now + LOOK_MS));
			code = check(line, err);
		}
	}
	pthread_mutex_unlock(&line->lock);
	return code;
}
