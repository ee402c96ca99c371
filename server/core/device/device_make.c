/* SPDX-License-Identifier: MIT */
/* The life of a device from its section of the configuration to its end. The functions in the kind's row do what
 * differs between the kinds. */
#include "device_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "state.h"

void device_describe(struct device *dev, const char *name, const char *driver, const char *title, const char *where)
{
	struct device_info *info = &dev->info;
	text_copy_clean(info->name, sizeof info->name, name[0] != '\0' ? name : title);
	text_copy_clean(info->driver, sizeof info->driver, driver);
	text_copy_clean(info->driver_title, sizeof info->driver_title, title);
	text_copy_clean(info->where, sizeof info->where, where);
	info->announced = true;
}

static void note_line(void *ctx, char kind, const void *data, size_t len)
{
	transcript_note(ctx, kind, data, len);
}

void device_listen_to(struct device *dev, const struct focuser_port *port, const char *file)
{
	dev->transcript = transcript_create(dev->needs.transcripts, &(struct transcript_about){
		.source = dev->info.source,
		.driver = dev->info.driver,
		.port = port,
		.file = file,
	});
	if (dev->transcript != NULL) {
		dev->host.note = note_line;
		dev->host.note_ctx = dev->transcript;
	}
}

void device_set_simulated(struct device *dev)
{
	dev->clock = dev->needs.fast_clock;
	dev->host.clock = dev->clock;
}

enum err_code device_create(const struct device_kind *kind, int number, const struct device_needs *needs,
	struct device **out, struct err *err)
{
	struct device *dev = calloc(1, sizeof *dev);
	if (dev == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	dev->needs = *needs;
	dev->made_by = settings_get(needs->settings);
	dev->config = settings_get(needs->settings);
	device_init(dev);
	if (needs->patience != NULL) {
		dev->patience = *needs->patience;
	}
	dev->info.kind = kind;
	dev->info.number = number;
	snprintf(dev->info.source, sizeof dev->info.source, "%s.%u", kind->name, (unsigned)number % 1000u);
	enum err_code code = host_prepare(dev, err);
	if (code == ERR_OK) {
		code = kind->life->create(dev, err);
	}
	if (code == ERR_OK) {
		/* A rehearsal with the simulator must not have the identity of the real device. */
		char key[48];
		snprintf(key, sizeof key, "%s%s", strcmp(dev->info.driver, "simulator") == 0 ? "simulator." : "",
			dev->info.source);
		code = state_unique_id(needs->state_dir, key, dev->info.unique_id, err);
	}
	if (code != ERR_OK) {
		device_destroy(dev);
		return code;
	}
	*out = dev;
	return ERR_OK;
}

void device_destroy(struct device *dev)
{
	dev->info.kind->life->destroy(dev);
	host_end(dev);
	device_fini(dev);
	settings_release(dev->needs.settings, dev->config);
	settings_release(dev->needs.settings, dev->made_by);
	free(dev);
}

void device_quiet(struct device *dev)
{
	dev->info.kind->life->quiet(dev);
}
