/* SPDX-License-Identifier: MIT */
/*
 * Expectations, from driver_host.h: two devices over one connection with a reader thread.  The first makes it and
 * the last ends it; what the reader posts arrives at the worker in order, never after the device was closed; a
 * loss reaches both; a gap is told.  Run under the thread sanitizer, too.
 */
#include "core_fixture.h"

#include "camera_driver.h"
#include "focuser_driver.h"
#include "mailbox.h"
#include "shared.h"

/* The fixture's own drivers are not in this program. */
struct fake fake;

void fake_reset(void)
{
	memset(&fake, 0, sizeof fake);
}

static inline bool camera_down(struct fixture *f)
{
	return device_link(f->camera) == LINK_DOWN;
}

/* ---- a server somewhere, which the test controls ---- */

static struct {
	_Atomic int32_t position;
	_Atomic bool refuses;      /* nobody can connect */
	_Atomic int connections;   /* that were made */
	_Atomic int ended;
	_Atomic int readers;       /* threads that run */
	_Atomic int refused_posts;
	_Atomic int late_posts;    /* that arrived at a driver which is not open */
	_Atomic int gaps;
	_Atomic int seen[2];       /* posts that the focuser and the camera took */
	_Atomic bool out_of_order;
} net;

struct saying {
	bool lost;
	int32_t position;
	int count;
};

/* The connection that both share; its reader thread posts to each that listens. */
struct line {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t reader;
	bool quit;
	int burst;                 /* news to be told, one by one */
	_Atomic bool lost;
	int count;
	const struct driver_host *listener[2];
};

/* The line that is open; the test speaks through it as the server. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct line *open_line;

static void *line_reads(void *arg)
{
	struct line *line = arg;
	atomic_fetch_add(&net.readers, 1);
	pthread_mutex_lock(&line->lock);
	while (!line->quit) {
		if (line->burst == 0) {
			pthread_cond_wait(&line->wake, &line->lock);
			continue;
		}
		line->burst--;
		struct saying said = {.lost = atomic_load(&line->lost), .position = atomic_load(&net.position),
			.count = ++line->count};
		for (int i = 0; i < 2; i++) {
			const struct driver_host *host = line->listener[i];
			if (host != NULL && !host->post(host->post_ctx, &said, sizeof said)) {
				atomic_fetch_add(&net.refused_posts, 1);
			}
		}
	}
	pthread_mutex_unlock(&line->lock);
	atomic_fetch_sub(&net.readers, 1);
	return NULL;
}

static enum err_code line_create(void *shared, const char *key, const void *arg, struct err *err)
{
	(void)arg;
	struct line *line = shared;
	assert_string_equal(key, "fake://server");
	if (atomic_load(&net.refuses)) {
		return err_set(err, ERR_IO, "nobody there");
	}
	pthread_mutex_init(&line->lock, NULL);
	pthread_cond_init(&line->wake, NULL);
	if (pthread_create(&line->reader, NULL, line_reads, line) != 0) {
		return err_set(err, ERR_INTERNAL, "no thread");
	}
	pthread_mutex_lock(&open_lock);
	open_line = line;
	pthread_mutex_unlock(&open_lock);
	atomic_fetch_add(&net.connections, 1);
	return ERR_OK;
}

static void line_destroy(void *shared)
{
	struct line *line = shared;
	pthread_mutex_lock(&open_lock);
	open_line = open_line == line ? NULL : open_line;
	pthread_mutex_unlock(&open_lock);
	pthread_mutex_lock(&line->lock);
	line->quit = true;
	pthread_cond_signal(&line->wake);
	pthread_mutex_unlock(&line->lock);
	pthread_join(line->reader, NULL);
	pthread_cond_destroy(&line->wake);
	pthread_mutex_destroy(&line->lock);
	atomic_fetch_add(&net.ended, 1);
}

static bool line_usable(void *shared)
{
	return !atomic_load(&((struct line *)shared)->lost);
}

static const struct driver_shared line_kind = {
	.size = sizeof(struct line),
	.create = line_create,
	.destroy = line_destroy,
	.usable = line_usable,
};

/* Lets the server say n things, the first of which may be that it goes. */
static void server_says(int n, bool lost)
{
	pthread_mutex_lock(&open_lock);
	assert_non_null(open_line);
	pthread_mutex_lock(&open_line->lock);
	open_line->burst += n;
	if (lost) {
		atomic_store(&open_line->lost, true);
	}
	pthread_cond_signal(&open_line->wake);
	pthread_mutex_unlock(&open_line->lock);
	pthread_mutex_unlock(&open_lock);
}

/* ---- what both drivers do ---- */

struct bridge {
	int which;
	const struct driver_host *host;
	struct line *line;
	int32_t position;
	int count;
};

static enum err_code bridge_open(struct bridge *b, int which, const struct driver_host *host, struct err *err)
{
	void *shared = NULL;
	enum err_code code = host->join(host->shared_ctx, "fake://server", &line_kind, NULL, &shared, err);
	if (code != ERR_OK) {
		return code;
	}
	b->which = which;
	b->host = host;
	b->line = shared;
	b->position = atomic_load(&net.position);
	pthread_mutex_lock(&b->line->lock);
	b->count = b->line->count;
	b->line->listener[which] = host;
	pthread_mutex_unlock(&b->line->lock);
	return ERR_OK;
}

static void bridge_close(void *ctx)
{
	struct bridge *b = ctx;
	if (b->line != NULL) {
		/* From here on the reader does not know this device. */
		pthread_mutex_lock(&b->line->lock);
		b->line->listener[b->which] = NULL;
		pthread_mutex_unlock(&b->line->lock);
		b->host->leave(b->host->shared_ctx, b->line);
		b->line = NULL;
	}
}

static enum err_code bridge_posted(void *ctx, const void *data, size_t size, struct err *err)
{
	struct bridge *b = ctx;
	struct saying said;
	if (b->line == NULL) {
		atomic_fetch_add(&net.late_posts, 1);
		return ERR_OK;
	}
	if (data == NULL) {
		assert_int_equal(size, 0);
		atomic_fetch_add(&net.gaps, 1);
		b->position = atomic_load(&net.position);
		b->count = -1;
		return ERR_OK;
	}
	assert_int_equal(size, sizeof said);
	memcpy(&said, data, sizeof said);
	if (b->count >= 0 && said.count != b->count + 1) {
		atomic_store(&net.out_of_order, true);
	}
	b->count = said.count;
	b->position = said.position;
	atomic_fetch_add(&net.seen[b->which], 1);
	return said.lost ? err_set(err, ERR_IO, "the server went") : ERR_OK;
}

static enum err_code focuser_open(void *ctx, const struct focuser_port *port, const struct driver_host *host,
	struct err *err)
{
	(void)port;
	return bridge_open(ctx, 0, host, err);
}

static enum err_code focuser_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	(void)ctx;
	(void)err;
	caps->max_step = 10000;
	caps->max_increment = 10000;
	snprintf(caps->identity, sizeof caps->identity, "bridge");
	return ERR_OK;
}

static enum err_code focuser_start(void *ctx, int32_t target, struct err *err)
{
	(void)ctx;
	(void)target;
	return err_set(err, ERR_REFUSED, "does not move");
}

static enum err_code focuser_stop(void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	return ERR_OK;
}

static enum err_code focuser_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	(void)want;
	(void)err;
	const struct bridge *b = ctx;
	out->position_valid = true;
	out->position = b->position;
	out->moving_valid = true;
	return ERR_OK;
}

/* It is asked so seldom that only posts can bring news within a test. */
#define HOUR_MS 3600000

static const struct focuser_driver bridge_focuser = {
	.name = "bridge", .title = "Bridge", .ctx_size = sizeof(struct bridge),
	.count = FOCUSER_COUNT_KEPT, .poll_moving_ms = 100, .poll_idle_ms = HOUR_MS, .poll_temperature_ms = HOUR_MS,
	.open = focuser_open, .identify = focuser_identify, .close = bridge_close, .start_move = focuser_start,
	.halt = focuser_stop, .poll = focuser_poll, .posted = bridge_posted,
};

static enum err_code camera_open(void *ctx, const struct camera_port *port, const struct driver_host *host,
	struct camera_caps *caps, struct err *err)
{
	(void)port;
	static const char *const modes[] = {"Normal", NULL};
	caps->width = 64;
	caps->height = 48;
	caps->max_bin = 1;
	caps->exposure_max_s = 10;
	caps->max_adu = 65535;
	caps->readout_modes = modes;
	return bridge_open(ctx, 1, host, err);
}

static enum err_code camera_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	(void)ctx;
	(void)request;
	return err_set(err, ERR_REFUSED, "does not expose");
}

static enum err_code camera_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)ctx;
	(void)err;
	out->state = CAMERA_DRIVER_IDLE;
	return ERR_OK;
}

static const struct camera_driver bridge_camera = {
	.name = "bridge", .title = "Bridge", .ctx_size = sizeof(struct bridge),
	.open = camera_open, .close = bridge_close, .start_exposure = camera_start, .poll = camera_poll,
	.abort = focuser_stop, .posted = bridge_posted,
};

const struct focuser_driver *const focuser_drivers[] = {&bridge_focuser, NULL};
const struct camera_driver *const camera_drivers[] = {&bridge_camera, NULL};

const struct focuser_driver *focuser_driver_find(const char *name)
{
	return strcmp(name, "bridge") == 0 ? &bridge_focuser : NULL;
}

const struct camera_driver *camera_driver_find(const char *name)
{
	return strcmp(name, "bridge") == 0 ? &bridge_camera : NULL;
}

/* ---- tests with devices ---- */

static int begin(void **state)
{
	int failed = setup(state);
	struct fixture *f = *state;
	memset(&net, 0, sizeof net);
	atomic_store(&net.position, 4000);
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "bridge");
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "bridge");
	return failed;
}

static int end(void **state)
{
	int failed = teardown(state);
	assert_int_equal(atomic_load(&net.readers), 0);
	assert_int_equal(atomic_load(&net.ended), atomic_load(&net.connections));
	assert_int_equal(atomic_load(&net.late_posts), 0);
	assert_false(atomic_load(&net.out_of_order));
	return failed;
}

static bool at_the_servers_position(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->focuser, &state);
	return state.position_valid && state.position == atomic_load(&net.position);
}

static void one_connection_serves_both(void **state)
{
	struct fixture *f = *state;
	start(f);
	assert_int_equal(atomic_load(&net.connections), 1);
	wait_for(f, at_the_servers_position);
	/* The next poll is an hour away, so the news came by the post. */
	atomic_store(&net.position, 4711);
	server_says(1, false);
	wait_for(f, at_the_servers_position);
	/* When one device leaves, the connection stays; the last one ends it. */
	bool closing = false;
	struct err err;
	assert_int_equal(device_disconnect(f->focuser, &alice, &closing, &err), ERR_OK);
	wait_for(f, focuser_down);
	assert_int_equal(atomic_load(&net.ended), 0);
	assert_int_equal(device_disconnect(f->camera, &alice, &closing, &err), ERR_OK);
	wait_for(f, camera_down);
	assert_int_equal(atomic_load(&net.ended), 1);
}

static bool both_up_again(struct fixture *f)
{
	return focuser_up(f) && camera_up(f) && atomic_load(&net.connections) == 2;
}

static bool both_lost(struct fixture *f)
{
	return lost(f) && device_link(f->camera) == LINK_LOST;
}

static void a_loss_reaches_both_and_one_connection_brings_both_back(void **state)
{
	struct fixture *f = *state;
	start(f);
	atomic_store(&net.refuses, true);
	server_says(1, true);
	wait_for(f, both_lost);
	char why[100];
	device_last_failure(f->focuser, why, sizeof why);
	assert_true(strstr(why, "went") != NULL || strstr(why, "nobody there") != NULL);
	atomic_store(&net.position, 5100);
	atomic_store(&net.refuses, false);
	wait_for(f, both_up_again);
	wait_for(f, at_the_servers_position);
	assert_int_equal(atomic_load(&net.connections), 2);
}

static bool posts_were_taken(struct fixture *f)
{
	(void)f;
	return atomic_load(&net.seen[0]) > 40;
}

/* The device is closed and opened again and again while the reader talks; end() looks for what came too late. */
static void closing_while_the_reader_posts(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	uint64_t ticket;
	bool closing = false;
	for (int i = 0; i < 20; i++) {
		server_says(200, false);
		assert_int_equal(device_disconnect(f->focuser, &alice, &closing, &err), ERR_OK);
		wait_for(f, focuser_down);
		assert_int_equal(device_connect(f->focuser, &alice, &ticket, &err), ERR_OK);
		wait_for(f, focuser_up);
	}
	assert_int_equal(atomic_load(&net.connections), 1);
	do {
		server_says(20, false);
		wait_for(f, at_the_servers_position);
	} while (!posts_were_taken(f));
}

/* ---- the parts alone ---- */

static void a_mailbox_keeps_order_and_tells_of_gaps(void **state)
{
	(void)state;
	struct mailbox *box = mailbox_create();
	struct mail mail;
	char large[DRIVER_POST_BYTES + 1] = "";
	int n = 0;
	assert_false(mailbox_put(box, &n, sizeof n)); /* shut */
	mailbox_open(box);
	assert_false(mailbox_put(box, large, sizeof large));
	assert_false(mailbox_put(box, large, 0));
	assert_false(mailbox_take(box, &mail));
	for (n = 0; n < DRIVER_POST_ROOM; n++) {
		assert_true(mailbox_put(box, &n, sizeof n));
	}
	assert_false(mailbox_put(box, &n, sizeof n));
	for (int i = 0; i < DRIVER_POST_ROOM; i++) {
		assert_true(mailbox_take(box, &mail));
		assert_int_equal(mail.size, sizeof i);
		assert_memory_equal(mail.data, &i, sizeof i);
		/* After the gap nothing is kept until the worker knows of the gap. */
		assert_false(mailbox_put(box, &n, sizeof n));
	}
	assert_true(mailbox_take(box, &mail));
	assert_int_equal(mail.size, 0);
	assert_false(mailbox_take(box, &mail));
	assert_true(mailbox_put(box, large, DRIVER_POST_BYTES));
	mailbox_shut(box);
	assert_false(mailbox_take(box, &mail));
	assert_false(mailbox_put(box, &n, sizeof n));
	mailbox_open(box);
	assert_false(mailbox_take(box, &mail));
	mailbox_destroy(box);
}

static enum err_code thing_create(void *shared, const char *key, const void *arg, struct err *err)
{
	(void)key;
	const int *wanted = arg;
	if (*wanted < 0) {
		return err_set(err, ERR_TIMEOUT, "not now");
	}
	*(int *)shared = *wanted;
	return ERR_OK;
}

static int things_ended;

static void thing_destroy(void *shared)
{
	(void)shared;
	things_ended++;
}

static const struct driver_shared thing = {
	.size = sizeof(int), .create = thing_create, .destroy = thing_destroy};
static const struct driver_shared other_thing = {
	.size = sizeof(int), .create = thing_create, .destroy = thing_destroy};

static bool thing_usable(void *shared)
{
	return *(int *)shared != 0;
}

static const struct driver_shared fragile_thing = {
	.size = sizeof(int), .create = thing_create, .destroy = thing_destroy, .usable = thing_usable};

/* One device has noticed the loss and joins anew while the other still holds the lost connection. */
static void an_unusable_object_ends_with_its_users(void **state)
{
	(void)state;
	struct shared *shared = shared_create();
	struct err err;
	int seven = 7;
	void *a = NULL, *b = NULL, *c = NULL;
	things_ended = 0;
	assert_int_equal(shared_join(shared, "k", &fragile_thing, &seven, &a, &err), ERR_OK);
	assert_int_equal(shared_join(shared, "k", &fragile_thing, &seven, &b, &err), ERR_OK);
	assert_ptr_equal(a, b);
	*(int *)a = 0;
	shared_leave(shared, a);
	assert_int_equal(things_ended, 0);
	assert_int_equal(shared_join(shared, "k", &fragile_thing, &seven, &c, &err), ERR_OK);
	assert_ptr_not_equal(b, c);
	assert_int_equal(*(int *)c, 7);
	/* Leaving the old one does not touch the new one. */
	shared_leave(shared, b);
	assert_int_equal(things_ended, 1);
	assert_int_equal(shared_join(shared, "k", &fragile_thing, &seven, &a, &err), ERR_OK);
	assert_ptr_equal(a, c);
	shared_leave(shared, a);
	shared_leave(shared, c);
	assert_int_equal(things_ended, 2);
	shared_destroy(shared);
}

static void objects_have_a_first_and_a_last_user(void **state)
{
	(void)state;
	struct shared *shared = shared_create();
	struct err err;
	int minus = -1, seven = 7, eight = 8;
	void *a = NULL, *b = NULL, *c = NULL, *d = NULL;
	things_ended = 0;
	assert_int_equal(shared_join(shared, "k", &thing, &minus, &a, &err), ERR_TIMEOUT);
	assert_string_equal(err.text, "not now");
	assert_int_equal(things_ended, 0);
	assert_int_equal(shared_join(shared, "k", &thing, &seven, &a, &err), ERR_OK);
	assert_int_equal(shared_join(shared, "k", &thing, &eight, &b, &err), ERR_OK);
	assert_ptr_equal(a, b);
	assert_int_equal(*(int *)b, 7);
	/* Another key, and another kind under the same key, are other objects. */
	assert_int_equal(shared_join(shared, "l", &thing, &eight, &c, &err), ERR_OK);
	assert_int_equal(shared_join(shared, "k", &other_thing, &eight, &d, &err), ERR_OK);
	assert_true(c != a && d != a && d != c);
	shared_leave(shared, a);
	assert_int_equal(things_ended, 0);
	shared_leave(shared, b);
	assert_int_equal(things_ended, 1);
	assert_int_equal(shared_join(shared, "k", &thing, &eight, &a, &err), ERR_OK);
	assert_int_equal(*(int *)a, 8);
	for (int i = 1; i < DRIVER_SHARED_USERS; i++) {
		assert_int_equal(shared_join(shared, "k", &thing, &eight, &b, &err), ERR_OK);
	}
	assert_int_equal(shared_join(shared, "k", &thing, &eight, &b, &err), ERR_INVALID_OPERATION);
	for (int i = 0; i < DRIVER_SHARED_USERS; i++) {
		shared_leave(shared, a);
	}
	shared_leave(shared, c);
	shared_leave(shared, d);
	assert_int_equal(things_ended, 4);
	char long_key[80];
	memset(long_key, 'k', sizeof long_key);
	long_key[79] = '\0';
	assert_int_equal(shared_join(shared, long_key, &thing, &eight, &a, &err), ERR_INVALID_VALUE);
	void *many[DRIVER_SHARED_OBJECTS];
	for (int i = 0; i < DRIVER_SHARED_OBJECTS; i++) {
		char key[16];
		snprintf(key, sizeof key, "many %d", i);
		assert_int_equal(shared_join(shared, key, &thing, &eight, &many[i], &err), ERR_OK);
	}
	assert_int_equal(shared_join(shared, "one more", &thing, &eight, &a, &err), ERR_INVALID_OPERATION);
	for (int i = 0; i < DRIVER_SHARED_OBJECTS; i++) {
		shared_leave(shared, many[i]);
	}
	shared_destroy(shared);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mailbox_keeps_order_and_tells_of_gaps),
		cmocka_unit_test(objects_have_a_first_and_a_last_user),
		cmocka_unit_test(an_unusable_object_ends_with_its_users),
		cmocka_unit_test_setup_teardown(one_connection_serves_both, begin, end),
		cmocka_unit_test_setup_teardown(a_loss_reaches_both_and_one_connection_brings_both_back, begin, end),
		cmocka_unit_test_setup_teardown(closing_while_the_reader_posts, begin, end),
	};
	return cmocka_run_group_tests_name("what devices share", tests, NULL, NULL);
}
