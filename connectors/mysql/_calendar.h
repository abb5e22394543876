/* The calendar of the years 1 to 9999, for the decoders of the log and of SELECT. */

#ifndef STREAMTRAIN_CALENDAR_H
#define STREAMTRAIN_CALENDAR_H

#include <stdint.h>

#define DAY_S INT64_C(86400)
#define DAY_US (DAY_S * 1000000)

/* Days since 1970 of a date in the calendar of the years 1 to 9999; 0 if it is none. */
static int epoch_days(int year, int month, int day, int64_t *days)
{
    static const int BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const int LENGTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) {
        return 0;
    }
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > LENGTH[month - 1] + (leap && month == 2)) {
        return 0;
    }
    int past = year - 1;
    *days = 365 * past + past / 4 - past / 100 + past / 400 - 719162;
    *days += BEFORE[month - 1] + (leap && month > 2) + day - 1;
    return 1;
}

#endif
