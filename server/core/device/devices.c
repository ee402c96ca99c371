/* SPDX-License-Identifier: MIT */
#include "devices.h"

#include <stddef.h>

struct device *devices_find(const struct devices *devices, const struct device_kind *kind, int number)
{
	for (int i = 0; i < devices->count; i++) {
		const struct device_info *info = device_info(devices->device[i]);
		if (info->kind == kind && info->number == number) {
			return devices->device[i];
		}
	}
	return NULL;
}

struct device *devices_at(const struct devices *devices, int i)
{
	return i >= 0 && i < devices->count ? devices->device[i] : NULL;
}
