/* SPDX-License-Identifier: MIT */
/*
 * Host names with a deadline.  The system's look-up has none and may take half a minute when the
 * name server is away, so it runs on a thread of its own that outlives an impatient caller.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "pipes.h"

struct lookup {
	struct tcp_address address;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over;
	bool abandoned; /* the caller has given up waiting: the thread frees this */
	int rc;
	struct addrinfo *found;
};

static void lookup_destroy(struct lookup *lookup)
{
	pthread_cond_destroy(&lookup->over);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

static int look_up(const struct tcp_address *address, int flags, struct addrinfo **found)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	*found = NULL;
	return getaddrinfo(address->host, address->port, &hints, found);
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;
	struct addrinfo *found = NULL;
	int rc = look_up(&lookup->address, 0, &found);
	pthread_mutex_lock(&lookup->lock);
	bool abandoned = lookup->abandoned;
	lookup->rc = rc;
	lookup->found = found;
	lookup->is_over = true;
	pthread_cond_signal(&lookup->over);
	pthread_mutex_unlock(&lookup->lock);
	if (abandoned) {
		if (rc == 0) {
			freeaddrinfo(found);
		}
		lookup_destroy(lookup);
	}
	return NULL;
}

static struct lookup *start(const struct tcp_address *address)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);
	if (lookup == NULL) {
		return NULL;
	}
	lookup->address = *address;
	pthread_mutex_init(&lookup->lock, NULL);
	clock_cond_init(&lookup->over);
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, lookup) != 0) {
		lookup_destroy(lookup);
		return NULL;
	}
	pthread_detach(thread);
	return lookup;
}

enum err_code tcp_resolve(const struct tcp_address *address, int64_t deadline_ms,
	struct addrinfo **out, struct err *err)
{
	/* Numeric addresses need no name server and therefore no thread. */
	if (look_up(address, AI_NUMERICHOST, out) == 0) {
		return ERR_OK;
	}
	struct lookup *lookup = start(address);
	if (lookup == NULL) {
		return err_set(err, ERR_NOMEM, "no memory to look up '%s'", address->host);
	}
	pthread_mutex_lock(&lookup->lock);
	bool late = false;
	while (!lookup->is_over && !late) {
		late = clock_wait(clock_real(), &lookup->over, &lookup->lock, deadline_ms);
	}
	bool is_over = lookup->is_over;
	lookup->abandoned = !is_over;
	int rc = lookup->rc;
	struct addrinfo *found = lookup->found;
	pthread_mutex_unlock(&lookup->lock);
	if (!is_over) {
		return err_set(err, ERR_TIMEOUT, "the name server does not answer for '%s'",
			address->host);
	}
	lookup_destroy(lookup);
	if (rc != 0) {
		return err_set(err, ERR_IO, "there is no host '%s': %s", address->host,
			gai_strerror(rc));
	}
	*out = found;
	return ERR_OK;
}
