/* SPDX-License-Identifier: MIT */
/*
 * The list of serial ports, who holds them, which one a name means, and plug events, on trees made
 * here in the shape of /sys, /dev and /proc (sysfs-bus-usb, sysfs-tty and proc(5) tell the shapes).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ports.h"
#include "ports_watch.h"

static const struct focuser_usb_id maker_ids[] = {
	{.vid = 0x15a2, .pid = 0xa50f, .product = "Focuser", .one_maker = true},
	{.vid = 0},
};
static const struct focuser_usb_id bridge_ids[] = {
	{.vid = 0x0403, .pid = 0x6001},
	{.vid = 0x1a86, .pid = 0x7523},
	{.vid = 0},
};
static const struct focuser_driver maker = {
	.name = "maker", .title = "Maker's focuser", .uses_port = true, .usb_ids = maker_ids};
static const struct focuser_driver anybody = {
	.name = "anybody", .title = "Anybody's focuser", .uses_port = true, .usb_ids = bridge_ids};

/* In place of the program's own list. */
const struct focuser_driver *const focuser_drivers[] = {&maker, &anybody, NULL};

static char root[64], sys_root[96], dev_root[96], proc_root[96];
static bool (*udev)(const char *name, struct ports_udev_facts *out);

static struct ports_roots roots(void)
{
	return (struct ports_roots){
		.sys = sys_root, .dev = dev_root, .proc = proc_root, .udev_facts = udev};
}

static const char *in(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *in(const char *fmt, ...)
{
	static char path[8][400];
	static int turn;
	char *out = path[turn++ % 8];
	int n = snprintf(out, 400, "%s/", root);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out + n, (size_t)(400 - n), fmt, ap);
	va_end(ap);
	return out;
}

static void make_folder(const char *path)
{
	char part[400];
	for (size_t i = strlen(root) + 1; i <= strlen(path); i++) {
		if (path[i] == '/' || path[i] == '\0') {
			snprintf(part, sizeof part, "%.*s", (int)i, path);
			assert_true(mkdir(part, 0755) == 0 || errno == EEXIST);
		}
	}
}

static void make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_link(const char *target, const char *path)
{
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
	(void)facts;
	(void)kind;
	(void)where;
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/ports-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(sys_root, sizeof sys_root, "%s/sys", root);
	snprintf(dev_root, sizeof dev_root, "%s/dev", root);
	snprintf(proc_root, sizeof proc_root, "%s/proc", root);
	make_folder(in("sys/class/tty"));
	make_folder(in("dev"));
	make_folder(in("proc"));
	udev = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(root);
	return 0;
}

struct usb {
	const char *name, *socket;
	const char *vid, *pid, *product, *serial;
	int interface;
	const char *by_id; /* NULL none */
};

static void plug(const struct usb *u)
{
	const char *device = in("sys/devices/usb1/%s", u->socket);
	const char *interface = in("sys/devices/usb1/%s/%s:1.%d", u->socket, u->socket, u->interface);
	const char *port = in("sys/devices/usb1/%s/%s:1.%d/%s", u->socket, u->socket, u->interface, u->name);
	char text[100];
	make_folder(port);
	make_file(in("sys/devices/usb1/%s/idVendor", u->socket), u->vid);
	make_file(in("sys/devices/usb1/%s/idProduct", u->socket), u->pid);
	make_file(in("sys/devices/usb1/%s/product", u->socket), u->product);
	if (u->serial[0] != '\0') {
		snprintf(text, sizeof text, "%s/serial", device);
		make_file(text, u->serial);
	}
	snprintf(text, sizeof text, "%02d\n", u->interface);
	char path[500];
	snprintf(path, sizeof path, "%s/bInterfaceNumber", interface);
	make_file(path, text);
	snprintf(path, sizeof path, "%s/driver", port);
	make_link("../../../../../bus/usb-serial/drivers/ftdi_sio", path);
	make_folder(in("sys/class/tty/%s", u->name));
	make_link(port, in("sys/class/tty/%s/device", u->name));
	make_file(in("dev/%s", u->name), "");
	if (u->by_id != NULL) {
		make_folder(in("dev/serial/by-id"));
		snprintf(text, sizeof text, "../../%s", u->name);
		make_link(text, in("dev/serial/by-id/%s", u->by_id));
	}
}

static void unplug(const char *name, const char *socket)
{
	remove_tree(in("sys/class/tty/%s", name));
	remove_tree(in("sys/devices/usb1/%s", socket));
	(void)unlink(in("dev/%s", name));
}

static const struct usb ftdi_a = {"ttyUSB0", "1-2", "0403\n", "6001\n", "FT232R\n", "A1\n", 0, "usb-A1"};
static const struct usb ftdi_b = {"ttyUSB0", "1-2", "0403\n", "6001\n", "FT232R\n", "B2\n", 0, "usb-B2"};
static const struct usb cheap_1 = {"ttyUSB0", "1-2.1", "1a86\n", "7523\n", "USB Serial\n", "", 0, "usb-CH"};
static const struct usb cheap_2 = {"ttyUSB1", "1-2.2", "1a86\n", "7523\n", "USB Serial\n", "", 0, NULL};

static struct ports *list_now(void)
{
	struct ports_roots r = roots();
	struct ports *list = ports_list(&r);
	assert_non_null(list);
	return list;
}

static void test_what_is_a_port(void **state)
{
	(void)state;
	/* Virtual consoles have no device, spare UARTs type 0, pseudo terminals are not here at all. */
	make_folder(in("sys/class/tty/tty1"));
	make_folder(in("sys/devices/platform/serial8250/ttyS1"));
	make_folder(in("sys/class/tty/ttyS1"));
	make_link(in("sys/devices/platform/serial8250"), in("sys/class/tty/ttyS1/device"));
	make_file(in("sys/class/tty/ttyS1/type"), "0\n");
	make_folder(in("sys/class/tty/ttyS0"));
	make_link(in("sys/devices/platform/serial8250"), in("sys/class/tty/ttyS0/device"));
	make_file(in("sys/class/tty/ttyS0/type"), "4\n");
	make_file(in("dev/ttyS0"), "");
	plug(&(struct usb){"ttyUSB10", "1-2.4.1", "0403\n", "6001\n", "FT232R\n", "Z\n", 0, NULL});
	plug(&(struct usb){"ttyUSB2", "1-2.4.2", "0403\n", "6001\n", "FT232R\n", "Y\n", 0, NULL});
	struct ports *list = list_now();
	assert_int_equal(list->count, 3);
	assert_string_equal(list->port[0].name, "ttyS0");
	assert_int_equal(list->port[0].kind, PORT_PLAIN);
	assert_string_equal(list->port[1].name, "ttyUSB2");
	assert_string_equal(list->port[2].name, "ttyUSB10");
	assert_string_equal(list->port[2].path, "1-2.4.1:1.0");
	assert_string_equal(list->port[2].serial, "Z");
	assert_string_equal(list->port[2].kernel_driver, "ftdi_sio");
	assert_int_equal(list->port[2].kind, PORT_BRIDGE);
	assert_ptr_equal(list->port[2].driver, &anybody);
	assert_string_equal(list->port[2].stable, list->port[2].node);
	free(list);
}

/* One chip with two ports shares its serial number between them. */
static void test_two_ports_of_one_chip(void **state)
{
	(void)state;
	plug(&(struct usb){"ttyUSB0", "1-2", "0403\n", "6010\n", "FT2232\n", "A1\n", 0, "usb-if00"});
	plug(&(struct usb){"ttyUSB1", "1-2", "0403\n", "6010\n", "FT2232\n", "A1\n", 1, "usb-if01"});
	struct ports *list = list_now();
	assert_true(list->port[0].is_unique && list->port[1].is_unique);
	assert_string_equal(list->port[1].stable, in("dev/serial/by-id/usb-if01"));
	free(list);
}

static bool says_socket(const char *name, struct ports_udev_facts *out)
{
	snprintf(out->path, sizeof out->path, "pci-0000:00:14.0-usb-0:2:1.0");
	out->modem_ignored = true;
	return strcmp(name, "ttyUSB0") == 0;
}

static void test_udev_adds_what_it_knows(void **state)
{
	(void)state;
	plug(&ftdi_a);
	udev = says_socket;
	struct ports *list = list_now();
	assert_string_equal(list->port[0].path, "pci-0000:00:14.0-usb-0:2:1.0");
	assert_true(list->port[0].modem_ignored);
	free(list);
}

static void test_names(void **state)
{
	(void)state;
	plug(&ftdi_a);
	plug(&cheap_2);
	make_link("dev/serial", in("other"));
	make_link("/dev/null", in("dev/mine"));
	make_link("ring", in("dev/ring"));
	struct ports_roots r = roots();
	struct ports *list = list_now();
	const struct {
		const char *name, *tty;
	} rows[] = {
		{in("dev/ttyUSB0"), "ttyUSB0"},
		{in("dev/ttyUSB1"), "ttyUSB1"},
		{in("dev/serial/by-id/usb-A1"), "ttyUSB0"},
		{in("other/by-id/usb-A1"), "ttyUSB0"},
		{in("dev/../dev/./ttyUSB1"), "ttyUSB1"},
		{in("dev/mine"), NULL},
		{in("dev/ring"), NULL},
		{in("dev/"), NULL},
	};
	const char *const nonsense[] = {"", "/", "auto", "tcp://host:1", "/dev/pts/0", "/no/such/thing"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct port_info *port = ports_find(&r, list, rows[i].name);
		assert_true((port == NULL) == (rows[i].tty == NULL));
		assert_true(port == NULL || strcmp(port->name, rows[i].tty) == 0);
	}
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		assert_null(ports_find(&r, list, nonsense[i]));
	}
	free(list);
}

static void test_holder_by_lock(void **state)
{
	(void)state;
	plug(&ftdi_a);
	plug(&cheap_2);
	struct stat facts;
	char line[200];
	assert_int_equal(stat(in("dev/ttyUSB0"), &facts), 0);
	snprintf(line, sizeof line,
		"1: POSIX  ADVISORY  WRITE 77 00:01:9 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 13 %02x:%02x:%lu 0 EOF\n"
		"2: FLOCK  ADVISORY  WRITE 812 %02x:%02x:%lu 0 EOF\nrubbish\n",
		major(facts.st_dev), minor(facts.st_dev), (unsigned long)facts.st_ino,
		major(facts.st_dev), minor(facts.st_dev), (unsigned long)facts.st_ino);
	make_file(in("proc/locks"), line);
	make_folder(in("proc/812"));
	make_file(in("proc/812/comm"), "gpsd\n");
	struct ports *list = list_now();
	assert_int_equal(list->port[0].holder.pid, 812);
	assert_string_equal(list->port[0].holder.program, "gpsd");
	assert_int_equal(list->port[1].holder.pid, 0);
	free(list);
	struct ports_roots r = roots();
	struct err err;
	assert_int_equal(ports_say_busy(&r, in("dev/ttyUSB0"), &err), ERR_IO);
	assert_non_null(strstr(err.text, "gpsd (pid 812)"));
	assert_non_null(strstr(err.text, "packaging/udev"));
	assert_int_equal(ports_say_busy(&r, in("dev/ttyUSB1"), &err), ERR_IO);
	assert_non_null(strstr(err.text, "may not see"));
}

static void test_holder_by_descriptor(void **state)
{
	(void)state;
	plug(&ftdi_a);
	make_folder(in("proc/4711/fd"));
	make_file(in("proc/4711/comm"), "brltty\n");
	make_link("socket:[1234]", in("proc/4711/fd/0"));
	make_link(in("dev/ttyUSB0"), in("proc/4711/fd/5"));
	struct ports *list = list_now();
	assert_int_equal(list->port[0].holder.pid, 4711);
	assert_string_equal(list->port[0].holder.program, "brltty");
	struct focuser_caps caps;
	struct err err;
	assert_int_equal(ports_ask(&list->port[0], &caps, &err), ERR_INVALID_OPERATION);
	free(list);
}

/* Only what nobody else can be is a focuser. */
static void test_kinds(void **state)
{
	(void)state;
	const struct {
		uint16_t vid, pid;
		const char *product, *driver;
		enum port_kind kind;
	} rows[] = {
		{0x15a2, 0xa50f, "Maker FOCUSER mk2", "cdc_acm", PORT_FOCUSER},
		{0x15a2, 0xa50f, "Hand Controller", "cdc_acm", PORT_OTHER},
		{0x0403, 0x6001, "FT232R USB UART", "ftdi_sio", PORT_BRIDGE},
		{0x0403, 0x6015, "Pegasus FocusCube2", "ftdi_sio", PORT_OTHER},
		{0x0403, 0x6015, "UPBv2 revB", "ftdi_sio", PORT_OTHER},
		{0x067b, 0x2303, "USB-Serial Controller", "pl2303", PORT_BRIDGE},
		{0x2341, 0x0043, "", "cdc_acm", PORT_BRIDGE},
		{0x303a, 0x1001, "", "cdc_acm", PORT_BRIDGE},
		{0x1546, 0x01a8, "", "cdc_acm", PORT_OTHER},
		{0x1234, 0x5678, "EG25", "option", PORT_OTHER},
		{0x1234, 0x5678, "Thing", "cdc_acm", PORT_UNKNOWN},
		{0, 0, "", "serial", PORT_PLAIN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct port_info port = {.vid = rows[i].vid, .pid = rows[i].pid, .name = "ttyACM0"};
		snprintf(port.product, sizeof port.product, "%s", rows[i].product);
		snprintf(port.kernel_driver, sizeof port.kernel_driver, "%s", rows[i].driver);
		ports_classify(&port);
		assert_int_equal(port.kind, rows[i].kind);
		assert_true((port.driver == &maker) == (rows[i].kind == PORT_FOCUSER));
		struct focuser_caps caps;
		if (port.kind != PORT_FOCUSER) {
			assert_int_equal(ports_ask(&port, &caps, NULL), ERR_INVALID_OPERATION);
		}
	}
}

static struct port_choice choose(const char *name, const struct port_identity *known, bool again)
{
	struct ports_roots r = roots();
	struct port_choice choice;
	struct err err = {.text = ""};
	if (ports_choose(&r, name, &anybody, known, again, &choice, &err) != ERR_OK) {
		fail_msg("%s: %s", name, err.text);
	}
	return choice;
}

static void refused(const char *name, const struct port_identity *known, bool again, const char *words)
{
	struct ports_roots r = roots();
	struct port_choice choice;
	struct err err = {.text = ""};
	assert_int_equal(ports_choose(&r, name, &anybody, known, again, &choice, &err), ERR_IO);
	if (strstr(err.text, words) == NULL) {
		fail_msg("'%s' does not say '%s'", err.text, words);
	}
}

static void test_network_and_pseudo_terminals_have_no_identity(void **state)
{
	(void)state;
	assert_string_equal(choose("tcp://10.0.0.1:2000", NULL, false).open, "tcp://10.0.0.1:2000");
	struct port_choice choice = choose("/dev/pts/9999", NULL, false);
	assert_string_equal(choice.open, "/dev/pts/9999");
	assert_string_equal(choice.tty, "");
	assert_int_equal(choice.identity.vid, 0);
}

static void test_the_same_device_under_any_name(void **state)
{
	(void)state;
	plug(&ftdi_a);
	char name[100];
	snprintf(name, sizeof name, "%s", in("dev/ttyUSB0"));
	const struct port_identity known = choose(name, NULL, false).identity;
	assert_string_equal(known.serial, "A1");
	for (int again = 0; again < 2; again++) {
		struct port_choice choice = choose(name, &known, again);
		assert_string_equal(choice.open, name);
		assert_true(choice.proven);
		assert_string_equal(choice.note, "");
	}
	unplug("ttyUSB0", "1-2");
	refused(name, &known, true, "there is no");
	struct usb moved = ftdi_a;
	moved.name = "ttyUSB3";
	moved.socket = "1-4";
	plug(&moved);
	for (int again = 0; again < 2; again++) {
		struct port_choice choice = choose(name, &known, again);
		assert_string_equal(choice.tty, "ttyUSB3");
		assert_string_equal(choice.open, in("dev/serial/by-id/usb-A1"));
		assert_true(choice.proven);
		assert_int_equal(choice.warn, !again);
	}
	/* Also while another one has taken its name. */
	plug(&ftdi_b);
	assert_string_equal(choose(name, &known, true).tty, "ttyUSB3");
	assert_string_equal(choose(name, &known, false).tty, "ttyUSB3");
}

static void test_another_device_under_the_name(void **state)
{
	(void)state;
	plug(&ftdi_a);
	char passing[100];
	char by_id[100];
	snprintf(passing, sizeof passing, "%s", in("dev/ttyUSB0"));
	snprintf(by_id, sizeof by_id, "%s", in("dev/serial/by-id/usb-mine"));
	make_link("../../ttyUSB0", by_id);
	const struct port_identity known = choose(passing, NULL, false).identity;
	struct port_identity stable = choose(by_id, NULL, false).identity;
	unplug("ttyUSB0", "1-2");
	plug(&ftdi_b);
	/* To disconnect would not help, so that is not what is said. */
	refused(passing, &known, true, "another device now");
	refused(passing, &known, true, "if it is the focuser: port = ");
	refused(passing, &known, false, "if it is the focuser: port = ");
	refused(by_id, &stable, true, "another device now");
	/* A name that means a device was chosen: between nights it is accepted. */
	struct port_choice choice = choose(by_id, &stable, false);
	assert_true(choice.warn);
	assert_false(choice.proven);
	assert_string_equal(choice.identity.serial, "B2");
	/* And so is a changed configuration, or driver. */
	assert_string_equal(choose(in("dev/serial/by-id/usb-B2"), &known, false).note, "");
	struct port_identity other = known;
	snprintf(other.driver, sizeof other.driver, "maker");
	assert_string_equal(choose(passing, &other, false).note, "");
}

/* Named by what the kernel calls it today, a mount or a GPS receiver is not opened; by its own name it is. */
static void test_a_neighbour_under_a_passing_name(void **state)
{
	(void)state;
	plug(&(struct usb){"ttyACM0", "1-5", "1546\n", "01a7\n", "u-blox 7\n", "G1\n", 0, "usb-ublox"});
	plug(&(struct usb){"ttyUSB0", "1-6", "0403\n", "6001\n", "NexStar\n", "N1\n", 0, "usb-nexstar"});
	refused(in("dev/ttyACM0"), NULL, false, "looks like a GPS receiver");
	refused(in("dev/ttyACM0"), NULL, false, "dev/serial/by-id/usb-ublox");
	refused(in("dev/ttyUSB0"), NULL, false, "looks like a mount");
	assert_string_equal(choose(in("dev/serial/by-id/usb-nexstar"), NULL, false).tty, "ttyUSB0");
}

static void test_without_serial_number_the_socket_counts(void **state)
{
	(void)state;
	plug(&cheap_1);
	char name[100];
	snprintf(name, sizeof name, "%s", in("dev/ttyUSB0"));
	const struct port_identity lone = choose(name, NULL, false).identity;
	assert_string_equal(lone.serial, "");
	assert_true(lone.alone);
	plug(&cheap_2);
	const struct port_identity known = choose(name, NULL, false).identity;
	assert_false(known.alone);
	assert_string_equal(choose(name, &known, true).tty, "ttyUSB0");
	/* Swapped. */
	unplug("ttyUSB0", "1-2.1");
	unplug("ttyUSB1", "1-2.2");
	struct usb first = cheap_1;
	struct usb second = cheap_2;
	first.name = "ttyUSB1";
	second.name = "ttyUSB0";
	plug(&second);
	refused(name, &known, true, "one of several alike");
	refused(name, &known, false, "one of several alike");
	plug(&first);
	assert_string_equal(choose(name, &known, true).tty, "ttyUSB1");
	assert_false(choose(name, &known, true).proven);
	unplug("ttyUSB0", "1-2.2");
	assert_false(choose(name, &known, true).identity.alone);
	plug(&second);
	/* One that never had company may change its socket, as long as it has its name. */
	unplug("ttyUSB1", "1-2.1");
	struct port_choice choice = choose(name, &lone, true);
	assert_string_equal(choice.tty, "ttyUSB0");
	assert_true(choice.warn);
	unplug("ttyUSB0", "1-2.2");
	plug(&cheap_2);
	refused(name, &lone, true, "at another socket");
}

/* Copies with one serial number: worth nothing once two are there. */
static void test_serial_numbers_that_two_have(void **state)
{
	(void)state;
	plug(&ftdi_a);
	struct usb copy = ftdi_a;
	copy.name = "ttyUSB1";
	copy.socket = "1-5";
	plug(&copy);
	const struct port_identity known = choose(in("dev/ttyUSB0"), NULL, false).identity;
	assert_string_equal(known.serial, "");
	assert_false(known.alone);
	unplug("ttyUSB0", "1-2");
	refused(in("dev/ttyUSB0"), &known, true, "there is no");
}

static void test_auto(void **state)
{
	(void)state;
	struct ports_roots r = roots();
	struct port_choice choice;
	struct err err;
	plug(&ftdi_a);
	assert_int_equal(ports_choose(&r, "auto", &anybody, NULL, false, &choice, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "write port = "));
	assert_non_null(strstr(err.text, "usb-A1"));
	assert_int_equal(ports_choose(&r, "auto", &maker, NULL, false, &choice, &err), ERR_IO);
	plug(&(struct usb){"ttyACM0", "1-6", "15a2\n", "a50f\n", "Focuser\n", "C1\n", 0, "usb-C1"});
	assert_int_equal(ports_choose(&r, "auto", &maker, NULL, false, &choice, &err), ERR_OK);
	assert_string_equal(choice.tty, "ttyACM0");
	const struct port_identity known = choice.identity;
	plug(&(struct usb){"ttyACM1", "1-7", "15a2\n", "a50f\n", "Focuser\n", "C2\n", 0, "usb-C2"});
	assert_int_equal(ports_choose(&r, "auto", &maker, NULL, false, &choice, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "usb-C1"));
	assert_non_null(strstr(err.text, "usb-C2"));
	assert_int_equal(ports_choose(&r, "auto", &maker, &known, true, &choice, &err), ERR_OK);
	assert_string_equal(choice.tty, "ttyACM0");
	unplug("ttyACM0", "1-6");
	assert_int_equal(ports_choose(&r, "auto", &maker, &known, true, &choice, &err), ERR_IO);
	assert_non_null(strstr(err.text, "another device"));
	assert_int_equal(ports_choose(&r, "auto", &maker, &known, false, &choice, &err), ERR_OK);
	assert_string_equal(choice.tty, "ttyACM1");
}

static bool heard(struct ports_watch *watch, bool added, const char *name)
{
	struct pollfd fd = {.fd = ports_watch_fd(watch), .events = POLLIN};
	struct ports_event event;
	for (;;) {
		while (ports_watch_next(watch, &event)) {
			if (event.added == added && strcmp(event.name, name) == 0) {
				return true;
			}
		}
		if (poll(&fd, 1, 10000) <= 0) {
			return false;
		}
	}
}

static void test_events(void **state)
{
	(void)state;
	struct ports_roots r = roots();
	struct err err;
	struct ports_watch *watch = ports_watch_create(&r, &err);
	assert_non_null(watch);
	assert_string_equal(ports_watch_kind(watch), "inotify");
	struct ports_event event;
	assert_false(ports_watch_next(watch, &event));
	/* The folder of the stable names is made only with the first port. */
	plug(&ftdi_a);
	assert_true(heard(watch, true, "ttyUSB0"));
	(void)unlink(in("dev/ttyUSB0"));
	assert_true(heard(watch, false, "ttyUSB0"));
	make_link("../../ttyUSB0", in("dev/serial/by-id/usb-A1"));
	assert_true(heard(watch, true, "usb-A1"));
	make_file(in("dev/loop0"), "");
	make_file(in("dev/ttyACM0"), "");
	assert_true(heard(watch, true, "ttyACM0"));
	assert_int_equal(chmod(in("dev/ttyACM0"), 0600), 0);
	assert_true(heard(watch, true, "ttyACM0"));
	ports_watch_destroy(watch);
	ports_watch_destroy(NULL);
	snprintf(dev_root, sizeof dev_root, "%s/none", root);
	assert_null(ports_watch_create(&r, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_a_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_ports_of_one_chip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udev_adds_what_it_knows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holder_by_lock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holder_by_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_network_and_pseudo_terminals_have_no_identity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_same_device_under_any_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_device_under_the_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_neighbour_under_a_passing_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_serial_number_the_socket_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_serial_numbers_that_two_have, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_auto, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
