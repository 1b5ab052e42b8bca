/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_ERRNO_H
#define _UNIT_LINUX_ERRNO_H

#define EINVAL	22

#endif
