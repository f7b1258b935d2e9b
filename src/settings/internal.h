/* What the files of settings share. */
#ifndef TARN_SETTINGS_INTERNAL_H
#define TARN_SETTINGS_INTERNAL_H

#include "tarn/settings/settings.h"

/* Reads value->text by the kind of the setting into number and list. USAGE naming setting, origin, value, cure. */
status settings__parse_value(setting id, arena *a, setting_value *value, error *err);
#endif
