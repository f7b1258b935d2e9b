/* serve.h: a worker's loop: requests in, replies out. */
#ifndef TARN_ENGINE_SERVE_H
#define TARN_ENGINE_SERVE_H

#include "worker/session.h"

/* Runs requests until the server closes its connections; then the process ends at once, whatever still runs. Returns
 * only after a failure that leaves the worker without use. */
status serve(session *served, int fd, int interrupt_fd, error *err);

#endif
