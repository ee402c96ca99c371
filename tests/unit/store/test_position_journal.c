/* SPDX-License-Identifier: MIT */
/* The journal of positions: its slots bit by bit, its file at every cut, and a disk that refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_disk.h"
#include "log.h"
#include "position_journal.h"

static char dir[64];
static char path[128];

static int setup(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof disk);
	snprintf(dir, sizeof dir, "/tmp/focusd-test-XXXXXX");
	if (mkdtemp(dir) == NULL) {
		return -1;
	}
	snprintf(path, sizeof path, "%s/position-0", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(path);
	return rmdir(dir);
}

static struct position_entry sample(uint64_t sequence)
{
	struct position_entry e = {.sequence = sequence,
		.time = "2026-11-21T03:12:45.678Z",
		.moving = sequence % 3 == 0,
		.position = (int32_t)(7600 + sequence),
		.from = 7000,
		.target = 8000,
		.low = 6950,
		.high = 8000,
		.trust = POSITION_SHIFTED,
		.offset_known = true,
		.offset = -7600,
		.why = "It says \"0\"\\, but stood at 7600 \xC2\xB1 2",
		.numbering = {.known = true, .reversed = true, .calibrated = sequence % 2 == 0,
			.low = 2000, .high = 65535},
		.old_min_step = sequence % 3 == 0 ? 5000 : 0,
		.old_max_step = sequence % 5 == 0 ? 30000 : 0,
		.max_step = 60000,
		.driver = "moonlite",
		.device = "Moonlite compatible, firmware 1.0",
		.port = "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0",
		.port_serial = "A5XK3RJT"};
	return e;
}

static void assert_same(const struct position_entry *a, const struct position_entry *b)
{
	assert_true(a->sequence == b->sequence && a->moving == b->moving && a->position == b->position &&
		    a->from == b->from && a->target == b->target && a->low == b->low && a->high == b->high &&
		    a->trust == b->trust && a->offset_known == b->offset_known &&
		    a->max_step == b->max_step && a->before_shift == b->before_shift &&
		    a->old_min_step == b->old_min_step && a->old_max_step == b->old_max_step);
	assert_true(a->numbering.known == b->numbering.known && a->numbering.reversed == b->numbering.reversed &&
		    a->numbering.calibrated == b->numbering.calibrated && a->numbering.low == b->numbering.low &&
		    a->numbering.high == b->numbering.high);
	assert_true(!a->offset_known || a->offset == b->offset);
	assert_string_equal(a->time, b->time);
	assert_string_equal(a->why, b->why);
	assert_string_equal(a->driver, b->driver);
	assert_string_equal(a->device, b->device);
	assert_string_equal(a->port, b->port);
	assert_string_equal(a->port_serial, b->port_serial);
}

/* CRC-32 of ISO 3309 bit by bit, so that the sum in the file is not checked by what made it; its check
 * value for "123456789" is cbf43926. */
static uint32_t sum_of(const char *data, size_t len)
{
	uint32_t sum = 0xFFFFFFFFu;
	for (size_t i = 0; i < len; i++) {
		sum ^= (uint8_t)data[i];
		for (int bit = 0; bit < 8; bit++) {
			sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0);
		}
	}
	return ~sum;
}

static void a_slot_says_what_was_put_in(void **state)
{
	(void)state;
	assert_int_equal(sum_of("123456789", 9), 0xCBF43926u);
	char slot[POSITION_SLOT_SIZE];
	struct position_entry e = sample(41);
	assert_true(position_slot_print(&e, slot));
	assert_memory_equal(slot, "{\"crc32\":\"", 10);
	assert_int_equal(slot[POSITION_SLOT_SIZE - 1], '\n');
	char sum[9];
	snprintf(sum, sizeof sum, "%08x", sum_of(slot + 20, POSITION_SLOT_SIZE - 20));
	assert_memory_equal(slot + 10, sum, 8);
	struct position_entry out;
	assert_true(position_slot_parse(slot, &out));
	assert_same(&e, &out);
	/* The emptiest and the longest that can be. */
	e = (struct position_entry){.sequence = 9000000000000000, .trust = POSITION_UNKNOWN,
		.position = INT32_MIN, .low = INT32_MIN, .high = INT32_MAX, .target = INT32_MAX,
		.numbering = {.known = true, .low = INT32_MIN, .high = INT32_MAX}};
	assert_true(position_slot_print(&e, slot));
	assert_true(position_slot_parse(slot, &out));
	assert_same(&e, &out);
	memset(e.why, '"', sizeof e.why - 1);
	memset(e.driver, '\\', sizeof e.driver - 1);
	memset(e.device, '"', sizeof e.device - 1);
	memset(e.port, '\\', sizeof e.port - 1);
	memset(e.port_serial, '"', sizeof e.port_serial - 1);
	assert_true(position_slot_print(&e, slot));
	assert_true(position_slot_parse(slot, &out));
	assert_same(&e, &out);
}

/* A slot of focusd 0.1.0, put together from the description of its format in that release. */
static void an_entry_of_0_1_0(void **state)
{
	(void)state;
	static const char members[] =
		"\"format\":\"focusd-position\",\"version\":1,\"sequence\":7,\"time\":\"2026-11-21T03:12:45.678Z\","
		"\"motion\":\"rest\",\"position\":20000,\"from\":20000,\"target\":20000,\"low\":20000,\"high\":20000,"
		"\"trust\":\"known\",\"offset\":null,\"why\":null,\"reverse\":false,\"max_step\":40000,"
		"\"mirror\":40000,\"driver\":\"celestron\",\"device\":\"Celestron focus motor, firmware 7.15.8240\","
		"\"port\":\"/dev/ttyACM0\",\"port_serial\":null}";
	char slot[POSITION_SLOT_SIZE];
	memset(slot, ' ', sizeof slot);
	memcpy(slot + 20, members, sizeof members - 1);
	slot[sizeof slot - 1] = '\n';
	char prefix[21];
	snprintf(prefix, sizeof prefix, "{\"crc32\":\"%08x\",", sum_of(slot + 20, sizeof slot - 20));
	memcpy(slot, prefix, 20);
	struct position_entry e;
	assert_true(position_slot_parse(slot, &e));
	assert_true(e.before_shift);
	assert_int_equal(e.position, 20000);
	/* What its clients saw, too: the motor's own number. */
	assert_int_equal(numbering_published(&e.numbering, e.position), 20000);
	assert_int_equal(e.numbering.high, 40000);
	/* One that is carried on says no more than it did. */
	char again[POSITION_SLOT_SIZE];
	assert_true(position_slot_print(&e, again));
	assert_memory_equal(slot, again, sizeof slot);
}

static void every_flipped_bit_is_noticed(void **state)
{
	(void)state;
	char slot[POSITION_SLOT_SIZE];
	struct position_entry e = sample(41);
	assert_true(position_slot_print(&e, slot));
	for (int bit = 0; bit < 8 * POSITION_SLOT_SIZE; bit++) {
		slot[bit / 8] = (char)(slot[bit / 8] ^ (1 << bit % 8));
		struct position_entry out = {.position = 4711};
		assert_false(position_slot_parse(slot, &out));
		assert_int_equal(out.position, 4711);
		slot[bit / 8] = (char)(slot[bit / 8] ^ (1 << bit % 8));
	}
	assert_true(position_slot_parse(slot, &e));
}

/* Slots whose sum is right but whose words make no sense. */
static void nonsense_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *was, *is;
	} cases[] = {
		{"\"focusd-position\"", "\"focusd-positron\""},
		{"\"version\":1", "\"version\":2"},
		{"\"version\":1", "\"version\":0"},
		{"\"sequence\":41", "\"sequence\":0"},
		{"\"sequence\":41", "\"sequence\":-1"},
		{"\"sequence\":41", "\"sequence\":\"41\""},
		{"\"motion\":\"rest\"", "\"motion\":\"west\""},
		{"\"position\":7641", "\"position\":7641.5"},
		{"\"position\":7641", "\"position\":null"},
		{"\"position\":7641", "\"pos\":7641"},
		{"\"from\":7000", "\"from\":4294967296"},
		{"\"low\":6950", "\"low\":8001"},
		{"\"trust\":\"shifted\"", "\"trust\":\"perhaps\""},
		{"\"offset\":-7600", "\"offset\":\"\""},
		{"\"reverse\":true", "\"reverse\":1"},
		{"\"driver\":\"moonlite\"", "\"driver\":\"0123456789012345678901234567890123456789\""},
		{"{\"crc32\"", "[\"crc32\""},
	};
	char good[POSITION_SLOT_SIZE];
	struct position_entry e = sample(41);
	assert_true(position_slot_print(&e, good));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char slot[POSITION_SLOT_SIZE + 64];
		memset(slot, ' ', sizeof slot);
		char text[POSITION_SLOT_SIZE];
		memcpy(text, good, sizeof text);
		text[sizeof text - 1] = '\0';
		char *at = strstr(text, cases[i].was);
		assert_non_null(at);
		int n = snprintf(slot, sizeof slot, "%.*s%s%s", (int)(at - text), text, cases[i].is,
			at + strlen(cases[i].was));
		assert_true(n > 0 && (size_t)n < sizeof slot);
		slot[n] = ' ';
		slot[POSITION_SLOT_SIZE - 1] = '\n';
		char sum[9];
		snprintf(sum, sizeof sum, "%08x", sum_of(slot + 20, POSITION_SLOT_SIZE - 20));
		memcpy(slot + 10, sum, 8);
		struct position_entry out;
		if (position_slot_parse(slot, &out)) {
			fail_msg("taken: %s", cases[i].is);
		}
	}
}

/* A power cut while an entry is being written leaves the entry before it, whatever part got through: the
 * first bytes up to any place, or any of its sectors. */
static void no_cut_loses_anything(void **state)
{
	(void)state;
	static char before[POSITION_JOURNAL_SIZE];
	static char after[POSITION_JOURNAL_SIZE];
	static char torn[POSITION_JOURNAL_SIZE];
	enum { SECTOR = 512, SECTORS = POSITION_SLOT_SIZE / SECTOR };
	struct position_entry e5 = sample(5);
	struct position_entry e6 = sample(6);
	struct position_entry e7 = sample(7);
	snprintf(e7.why, sizeof e7.why, "much shorter");
	assert_true(position_slot_print(&e6, before));
	assert_true(position_slot_print(&e5, before + POSITION_SLOT_SIZE));
	memcpy(after, before, sizeof after);
	assert_true(position_slot_print(&e7, after + POSITION_SLOT_SIZE));
	int whole = 0;
	for (int cut = 0; cut <= POSITION_SLOT_SIZE + (1 << SECTORS); cut++) {
		memcpy(torn, before, sizeof torn);
		if (cut <= POSITION_SLOT_SIZE) {
			memcpy(torn + POSITION_SLOT_SIZE, after + POSITION_SLOT_SIZE, (size_t)cut);
		} else {
			for (int s = 0; s < SECTORS; s++) {
				size_t at = POSITION_SLOT_SIZE + (size_t)s * SECTOR;
				if ((cut - POSITION_SLOT_SIZE - 1) >> s & 1) {
					memcpy(torn + at, after + at, SECTOR);
				}
			}
		}
		struct position_entry out;
		enum position_found found = position_journal_find(torn, sizeof torn, &out);
		if (memcmp(torn, before, sizeof torn) == 0) {
			assert_int_equal(found, POSITION_READ);
			assert_same(&out, &e6);
		} else if (memcmp(torn, after, sizeof torn) == 0) {
			assert_int_equal(found, POSITION_READ);
			assert_same(&out, &e7);
			whole++;
		} else {
			assert_int_equal(found, POSITION_MENDED);
			assert_same(&out, &e6);
		}
	}
	assert_true(whole >= 2);
}

static void what_a_file_may_be(void **state)
{
	(void)state;
	static char bytes[POSITION_JOURNAL_SIZE];
	struct position_entry out = {.position = 4711};
	assert_int_equal(position_journal_read(path, &out, NULL), POSITION_NONE);
	memset(bytes, ' ', sizeof bytes);
	bytes[POSITION_SLOT_SIZE - 1] = bytes[POSITION_JOURNAL_SIZE - 1] = '\n';
	assert_int_equal(position_journal_find(bytes, sizeof bytes, &out), POSITION_NONE);
	assert_int_equal(position_journal_find(bytes, 0, &out), POSITION_DAMAGED);
	assert_int_equal(position_journal_find(bytes, sizeof bytes - 1, &out), POSITION_DAMAGED);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(position_journal_find(bytes, sizeof bytes, &out), POSITION_DAMAGED);
	assert_int_equal(out.position, 4711);
	/* An entry in the slot of the others does not count. */
	struct position_entry e = sample(6);
	assert_true(position_slot_print(&e, bytes + POSITION_SLOT_SIZE));
	assert_int_equal(position_journal_find(bytes, sizeof bytes, &out), POSITION_DAMAGED);
	assert_true(position_slot_print(&e, bytes));
	assert_int_equal(position_journal_find(bytes, sizeof bytes, &out), POSITION_MENDED);
	assert_int_equal(out.position, 7606);
	assert_int_equal(position_journal_find(bytes, POSITION_SLOT_SIZE, &out), POSITION_MENDED);
	struct err err = {0};
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(position_journal_read(path, &out, &err), POSITION_DAMAGED);
	assert_non_null(strstr(err.text, "cannot read"));
}

/* Notes one and waits until it is settled; whether it is on the disk. */
static bool write_one(struct position_journal *j, int32_t position)
{
	struct position_entry e = sample(1);
	e.position = position;
	uint64_t ticket = position_journal_note(j, &e);
	bool failed = false;
	while (!position_journal_settled(j, ticket, &failed)) {
		sched_yield();
	}
	return !failed;
}

static void assert_newest(uint64_t sequence, int32_t position)
{
	struct position_entry out;
	assert_int_equal(position_journal_read(path, &out, NULL), POSITION_READ);
	assert_int_equal(out.sequence, sequence);
	assert_int_equal(out.position, position);
}

static void entries_take_turns_and_go_on_after_a_restart(void **state)
{
	(void)state;
	struct position_journal *j = position_journal_create(path, "test", NULL, NULL, NULL);
	assert_int_equal(access(path, F_OK), -1); /* nothing before the first note */
	for (int i = 1; i <= 5; i++) {
		assert_true(write_one(j, 100 + i));
		assert_newest((uint64_t)i, 100 + i);
	}
	/* Each after the first, which came with the file: one write, one sync. */
	assert_int_equal(disk.writes, 4);
	assert_int_equal(disk.syncs, 4);
	position_journal_destroy(j);
	struct position_entry last;
	assert_int_equal(position_journal_read(path, &last, NULL), POSITION_READ);
	struct stat facts;
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_size, POSITION_JOURNAL_SIZE);
	assert_true(facts.st_blocks * 512 >= POSITION_JOURNAL_SIZE); /* no holes */
	ino_t inode = facts.st_ino;
	j = position_journal_create(path, "test", &last, NULL, NULL);
	assert_true(write_one(j, 106));
	assert_newest(6, 106);
	assert_int_equal(stat(path, &facts), 0);
	assert_true(facts.st_ino == inode);
	position_journal_destroy(j);
	/* One that could not be read begins anew, so that nothing old can win. */
	j = position_journal_create(path, "test", NULL, NULL, NULL);
	assert_true(write_one(j, 1));
	assert_newest(1, 1);
	position_journal_destroy(j);
	position_journal_destroy(NULL);
}

static void a_disk_that_refuses_leaves_the_entry_before(void **state)
{
	(void)state;
	struct position_journal *j = position_journal_create(path, "test", NULL, NULL, NULL);
	assert_true(write_one(j, 1));
	assert_true(write_one(j, 2));
	static const int errors[] = {ENOSPC, EIO, EROFS, EDQUOT};
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		disk.write_error = errors[i];
		assert_false(write_one(j, 50));
		assert_newest(2 + i, (int32_t)(2 + i));
		disk.write_error = 0;
		disk.sync_error = errors[i];
		assert_false(write_one(j, 51)); /* it may be there or not: the one before stays */
		disk.sync_error = 0;
		assert_true(write_one(j, (int32_t)(3 + i)));
		assert_newest(3 + i, (int32_t)(3 + i));
	}
	/* A write that is taken in two pieces. */
	disk.cut_at = 700;
	assert_true(write_one(j, 60));
	assert_newest(7, 60);
	position_journal_destroy(j);
}

static void a_journal_that_cannot_be_made_says_so(void **state)
{
	(void)state;
	assert_int_equal(rmdir(dir), 0);
	struct position_journal *j = position_journal_create(path, "test", NULL, NULL, NULL);
	assert_false(write_one(j, 1));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_true(write_one(j, 2));
	assert_newest(1, 2);
	position_journal_destroy(j);
}

/* What stands in the file's place is kept, not followed, and costs no entry. */
static void whatever_is_no_file_is_put_aside(void **state)
{
	(void)state;
	struct position_entry out;
	char other[128], aside[160];
	snprintf(other, sizeof other, "%s/other", dir);
	for (int i = 1; i <= 3; i++) {
		unlink(path);
		assert_int_equal(i == 1 ? mkdir(path, 0700) : i == 2 ? symlink(other, path) : mkfifo(path, 0600), 0);
		assert_int_equal(position_journal_read(path, &out, NULL), POSITION_DAMAGED);
		struct position_journal *j = position_journal_create(path, "test", NULL, NULL, NULL);
		assert_true(write_one(j, i));
		position_journal_destroy(j);
		assert_newest(1, i);
		assert_int_not_equal(access(other, F_OK), 0);
		snprintf(aside, sizeof aside, "%s.damaged-%d", path, i);
		struct stat facts;
		assert_int_equal(lstat(aside, &facts), 0);
		assert_int_equal(facts.st_mode & S_IFMT, i == 1 ? S_IFDIR : i == 2 ? S_IFLNK : S_IFIFO);
	}
	for (int i = 1; i <= 3; i++) {
		snprintf(aside, sizeof aside, "%s.damaged-%d", path, i);
		remove(aside);
	}
}

static void of_a_flood_only_the_newest_is_written(void **state)
{
	(void)state;
	struct position_journal *j = position_journal_create(path, "test", NULL, NULL, NULL);
	assert_true(write_one(j, 1));
	disk.sync_waits = true;
	struct position_entry e = sample(1);
	e.position = 2;
	uint64_t first = position_journal_note(j, &e);
	while (!disk.syncing) {
		sched_yield();
	}
	for (int i = 3; i < 1000; i++) {
		e.position = i;
		position_journal_note(j, &e);
	}
	bool failed;
	assert_false(position_journal_settled(j, first, &failed));
	disk.sync_waits = false;
	position_journal_destroy(j); /* writes what is left */
	assert_newest(3, 999);
	assert_int_equal(disk.syncs, 2);
}

int main(void)
{
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_says_what_was_put_in),
		cmocka_unit_test(an_entry_of_0_1_0),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(no_cut_loses_anything),
		cmocka_unit_test_setup_teardown(what_a_file_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(entries_take_turns_and_go_on_after_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_refuses_leaves_the_entry_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_made_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(whatever_is_no_file_is_put_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(of_a_flood_only_the_newest_is_written, setup, teardown),
	};
	return cmocka_run_group_tests_name("position journal", tests, NULL, NULL);
}
