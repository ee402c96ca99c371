/* SPDX-License-Identifier: MIT */
/*
 * What a USB identity says about what is behind a port.  The rows of the drivers stand above this
 * table; a row here never makes a port one that is asked.
 */
#include <stdio.h>
#include <string.h>

#include "ports.h"

struct known {
	uint16_t vid, pid;         /* 0: any */
	const char *kernel_driver; /* NULL: any */
	const char *product;       /* must occur in the product string or the maker's name; NULL: any */
	enum port_kind kind;
	const char *what;
};

/* The first row that fits counts.  Sources: USB ID repository; udev rules of gpsd 3.22 and ModemManager
 * 1.20; the kernel's serial drivers; serial-protocols.md 0.4 and 0.5. */
static const struct known known[] = {
	/* By their own words, whatever the chip: neighbours on a telescope. */
	{0, 0, NULL, "GPS", PORT_OTHER, "GPS receiver"},
	{0, 0, NULL, "GNSS", PORT_OTHER, "GPS receiver"},
	{0, 0, NULL, "OnStep", PORT_OTHER, "mount"},
	{0, 0, NULL, "NexStar", PORT_OTHER, "mount"},
	{0, 0, NULL, "SynScan", PORT_OTHER, "mount"},
	{0, 0, NULL, "EQDIR", PORT_OTHER, "mount"},
	{0, 0, NULL, "EQMOD", PORT_OTHER, "mount"},
	{0, 0, NULL, "iOptron", PORT_OTHER, "mount"},
	{0, 0, NULL, "10Micron", PORT_OTHER, "mount"},
	{0, 0, NULL, "Telescope", PORT_OTHER, "mount"},
	{0, 0, NULL, "Power Box", PORT_OTHER, "power box"},
	{0, 0, NULL, "Powerbox", PORT_OTHER, "power box"},
	{0, 0, NULL, "PPBA", PORT_OTHER, "power box"},
	{0, 0, NULL, "UPBv", PORT_OTHER, "power box"},
	{0, 0, NULL, "modem", PORT_OTHER, "modem"},
	/* Focusers of one maker that no driver here knows: named, not asked. */
	{0x0403, 0, NULL, "DMFC", PORT_OTHER, "Pegasus DMFC focuser"},
	{0x0403, 0, NULL, "FocusCube", PORT_OTHER, "Pegasus FocusCube focuser"},
	{0x303a, 0x9000, NULL, NULL, PORT_OTHER, "Pegasus FocusCube 3 focuser"},
	{0x0461, 0x0033, NULL, NULL, PORT_OTHER, "USB_Focus focuser"},
	{0x15a2, 0xa50f, NULL, NULL, PORT_OTHER, "Celestron Focus Motor"},
	/* GPS receivers. */
	{0x1546, 0x01a4, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1546, 0x01a5, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1546, 0x01a6, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1546, 0x01a7, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1546, 0x01a8, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1546, 0x01a9, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x0e8d, 0x3329, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x091e, 0, NULL, NULL, PORT_OTHER, "Garmin device"},
	{0x1163, 0x0100, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x1163, 0x0200, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0x067b, 0xaaa0, NULL, NULL, PORT_OTHER, "GPS receiver"},
	{0, 0, "garmin_gps", NULL, PORT_OTHER, "Garmin device"},
	/* Modems. */
	{0, 0, "option", NULL, PORT_OTHER, "modem"},
	{0, 0, "option1", NULL, PORT_OTHER, "modem"},
	{0, 0, "qcserial", NULL, PORT_OTHER, "modem"},
	{0, 0, "sierra", NULL, PORT_OTHER, "modem"},
	{0, 0, "hso", NULL, PORT_OTHER, "modem"},
	{0, 0, "GSM modem (1-port)", NULL, PORT_OTHER, "modem"},
	{0x1546, 0, NULL, NULL, PORT_OTHER, "u-blox modem or GPS receiver"},
	{0x12d1, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x19d2, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x1199, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x2c7c, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x1e0e, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x1bc7, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x05c6, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x2cb7, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x0bdb, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x413c, 0, NULL, NULL, PORT_OTHER, "modem"},
	{0x1e2d, 0, NULL, NULL, PORT_OTHER, "modem"},
	/* Bridges and boards: anything may be behind them. */
	{0x0403, 0, NULL, NULL, PORT_BRIDGE, "FTDI bridge"},
	{0x10c4, 0, NULL, NULL, PORT_BRIDGE, "CP210x bridge"},
	{0x067b, 0, NULL, NULL, PORT_BRIDGE, "Prolific bridge"},
	{0x0557, 0x2008, NULL, NULL, PORT_BRIDGE, "Prolific bridge"},
	{0x1a86, 0, NULL, NULL, PORT_BRIDGE, "CH34x bridge"},
	{0x4348, 0x5523, NULL, NULL, PORT_BRIDGE, "CH34x bridge"},
	{0x9710, 0, NULL, NULL, PORT_BRIDGE, "MosChip bridge"},
	{0x04d8, 0x000a, NULL, NULL, PORT_BRIDGE, "Microchip serial"},
	{0x04d8, 0x00dd, NULL, NULL, PORT_BRIDGE, "Microchip bridge"},
	{0x0483, 0x5740, NULL, NULL, PORT_BRIDGE, "STM32 board"},
	{0x16c0, 0, NULL, NULL, PORT_BRIDGE, "Teensy or shared id"},
	{0x1209, 0, NULL, NULL, PORT_BRIDGE, "shared id"},
	{0x2341, 0, NULL, NULL, PORT_BRIDGE, "Arduino"},
	{0x2a03, 0, NULL, NULL, PORT_BRIDGE, "Arduino"},
	{0x1b4f, 0, NULL, NULL, PORT_BRIDGE, "Arduino-like board"},
	{0x239a, 0, NULL, NULL, PORT_BRIDGE, "Arduino-like board"},
	{0x2e8a, 0, NULL, NULL, PORT_BRIDGE, "Raspberry Pi Pico"},
	{0x303a, 0, NULL, NULL, PORT_BRIDGE, "ESP32 board"},
};

const char *port_kind_name(enum port_kind kind)
{
	switch (kind) {
	case PORT_FOCUSER:
		return "focuser";
	case PORT_BRIDGE:
		return "bridge";
	case PORT_OTHER:
		return "other";
	case PORT_PLAIN:
		return "plain";
	case PORT_UNKNOWN:
		break;
	}
	return "unknown";
}

static bool occurs(const char *needle, const char *in)
{
	return strcasestr(in, needle) != NULL;
}

static bool driver_row_fits(const struct focuser_usb_id *row, const struct port_info *port)
{
	return row->vid == port->vid && (row->pid == 0 || row->pid == port->pid) &&
	       (row->product == NULL || occurs(row->product, port->product));
}

/* Finds the driver whose row of USB identities fits, be it an identity of one maker or that of a bridge which
 * anybody may use. */
static const struct focuser_driver *driver_of(const struct port_info *port, bool one_maker)
{
	for (size_t i = 0; focuser_drivers[i] != NULL; i++) {
		const struct focuser_usb_id *row = focuser_drivers[i]->usb_ids;
		for (; row != NULL && row->vid != 0; row++) {
			if (row->one_maker == one_maker && driver_row_fits(row, port)) {
				return focuser_drivers[i];
			}
		}
	}
	return NULL;
}

static bool fits(const struct known *row, const struct port_info *port)
{
	if ((row->vid != 0 && row->vid != port->vid) || (row->pid != 0 && row->pid != port->pid)) {
		return false;
	}
	if (row->kernel_driver != NULL && strcmp(row->kernel_driver, port->kernel_driver) != 0) {
		return false;
	}
	return row->product == NULL || occurs(row->product, port->product) ||
	       occurs(row->product, port->manufacturer);
}

void ports_classify(struct port_info *port)
{
	port->driver = NULL;
	if (port->vid == 0) {
		port->kind = PORT_PLAIN;
		port->what = strncmp(port->name, "rfcomm", 6) == 0 ? "Bluetooth port" : "built-in port";
		return;
	}
	port->driver = driver_of(port, true);
	if (port->driver != NULL) {
		port->kind = PORT_FOCUSER;
		port->what = port->driver->title;
		return;
	}
	port->kind = PORT_UNKNOWN;
	port->what = "unknown device";
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (fits(&known[i], port)) {
			port->kind = known[i].kind;
			port->what = known[i].what;
			break;
		}
	}
	/* What a device says of itself counts more than the drivers' rows of bridges, behind which anything may
	 * be. */
	if (port->kind != PORT_OTHER) {
		port->driver = driver_of(port, false);
		port->kind = port->driver != NULL ? PORT_BRIDGE : port->kind;
	}
}

bool ports_can_find(const struct focuser_driver *driver)
{
	for (const struct focuser_usb_id *row = driver->usb_ids; row != NULL && row->vid != 0; row++) {
		if (row->one_maker) {
			return true;
		}
	}
	return false;
}

void ports_describe(const struct port_info *port, char *out, size_t cap)
{
	if (port->vid == 0) {
		snprintf(out, cap, "%s", port->what);
		return;
	}
	snprintf(out, cap, "%s (%04x:%04x%s%s)", port->product[0] != '\0' ? port->product : port->what,
		port->vid, port->pid, port->serial[0] != '\0' ? ", serial " : "", port->serial);
}

void ports_config_lines(const struct port_info *port, struct buf *out)
{
	buf_puts(out, "[focuser.0]\n");
	if (port->driver != NULL && port->kind == PORT_FOCUSER) {
		buf_printf(out, "driver = %s\n", port->driver->name);
	} else {
		/* All drivers are named whose devices might be behind a bridge. */
		const char *first = NULL;
		for (size_t i = 0; focuser_drivers[i] != NULL; i++) {
			if (focuser_drivers[i]->uses_port && focuser_drivers[i]->usb_ids != NULL) {
				buf_printf(out, "%s%s", first == NULL ? "; driver is one of: " : ", ",
					focuser_drivers[i]->name);
				first = first == NULL ? focuser_drivers[i]->name : first;
			}
		}
		buf_printf(out, "%sdriver = %s\n", first != NULL ? "\n" : "",
			port->driver != NULL ? port->driver->name : first != NULL ? first : "NAME");
	}
	buf_printf(out, "port = %s\n", port->stable);
}

void ports_name_candidates(const struct ports *list, const struct focuser_driver *driver, char *out,
	size_t cap)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < list->count && used < cap; i++) {
		const struct port_info *port = &list->port[i];
		bool may_be = port->kind == PORT_BRIDGE || port->kind == PORT_UNKNOWN ||
			(port->kind == PORT_FOCUSER && port->driver == driver);
		if (may_be && port->holder.pid == 0) {
			used += (size_t)snprintf(out + used, cap - used, "%sport = %s",
				used > 0 ? " or " : "", port->stable);
		}
	}
}
