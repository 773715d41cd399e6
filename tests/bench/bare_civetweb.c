/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The benches' baseline: civetweb that answers a constant on any path.
 * bare_civetweb PORT BYTES [THREADS]; prints "ready PORT" and runs until it is killed.
 */
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct answer {
	char *data;
	size_t len;
};

/* The second one says that the connection ends, as clients that asked for that want to hear it. */
static struct answer answers[2];

static int handle(struct mg_connection *connection, void *context)
{
	const char *wanted = mg_get_header(connection, "Connection");
	const struct answer *answer = &answers[wanted && strcmp(wanted, "close") == 0];

	(void)context;
	mg_write(connection, answer->data, answer->len);
	return 200;
}

static void make_answer(struct answer *answer, size_t bytes, const char *header)
{
	char head[160];
	int head_len = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		"%zu\r\n%s\r\n",
		bytes, header);

	answer->len = (size_t)head_len + bytes;
	answer->data = malloc(answer->len);
	if (!answer->data)
		exit(1);
	memset(answer->data, '1', answer->len);
	memcpy(answer->data, head, (size_t)head_len);
}

int main(int argc, char **argv)
{
	char address[32];
	const char *options[] = {"listening_ports", address, "num_threads",
		argc > 3 ? argv[3] : "8", "enable_keep_alive", "yes", "keep_alive_timeout_ms",
		"60000", "tcp_nodelay", "1", NULL};
	struct mg_callbacks callbacks = {0};
	struct mg_context *context;

	if (argc < 3) {
		fprintf(stderr, "usage: bare_civetweb PORT BYTES [THREADS]\n");
		return 2;
	}
	snprintf(address, sizeof(address), "127.0.0.1:%s", argv[1]);
	make_answer(&answers[0], strtoul(argv[2], NULL, 10), "");
	make_answer(&answers[1], strtoul(argv[2], NULL, 10), "Connection: close\r\n");
	mg_init_library(0);
	context = mg_start(&callbacks, NULL, options);
	if (!context) {
		fprintf(stderr, "bare_civetweb: cannot listen on %s\n", address);
		return 1;
	}
	mg_set_request_handler(context, "/", handle, NULL);
	printf("ready %s\n", argv[1]);
	fflush(stdout);
	for (;;)
		pause();
}
