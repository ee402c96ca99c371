/* SPDX-License-Identifier: MIT */
#include "renderer.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "turn.h"
#include "web_private.h"

/* A picture of 62 Mpx takes a fifth of a second of a processor; a STOP must not wait for a slice of that.  With this
 * nice value the kernel gives the thread a tenth of what it gives to a thread that answers requests. */
#define RENDERER_NICE 10

struct renderer {
	pthread_t thread;
	sem_t start, done; /* these order all access to what follows */
	bool quit;
	const struct frame *frame;
	const struct preview_key *key;
	unsigned char *jpeg;
	size_t len;
};

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) != 0 && errno == EINTR) {
	}
}

static void *render_thread(void *arg)
{
	struct renderer *r = arg;
	turn_background(RENDERER_NICE);
	for (;;) {
		wait_for(&r->start);
		if (r->quit) {
			return NULL;
		}
		r->jpeg = NULL;
		r->len = 0;
		preview_render(r->frame, r->key, &r->jpeg, &r->len);
		sem_post(&r->done);
	}
}

struct renderer *renderer_create(void)
{
	struct renderer *r = calloc(1, sizeof *r);
	if (r == NULL) {
		return NULL;
	}
	sem_init(&r->start, 0, 0);
	sem_init(&r->done, 0, 0);
	if (pthread_create(&r->thread, NULL, render_thread, r) != 0) {
		sem_destroy(&r->done);
		sem_destroy(&r->start);
		free(r);
		return NULL;
	}
	return r;
}

void renderer_destroy(struct renderer *r)
{
	if (r == NULL) {
		return;
	}
	r->quit = true;
	sem_post(&r->start);
	pthread_join(r->thread, NULL);
	sem_destroy(&r->done);
	sem_destroy(&r->start);
	free(r);
}

void renderer_render(struct renderer *r, const struct frame *frame, const struct preview_key *key,
	unsigned char **jpeg, size_t *len)
{
	r->frame = frame;
	r->key = key;
	sem_post(&r->start);
	wait_for(&r->done);
	*jpeg = r->jpeg;
	*len = r->len;
}
