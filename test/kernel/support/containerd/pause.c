/*
 * The only program in the image of the tests' containers:
 *
 *   pause                          waits, as the pause container of a pod does
 *   pause udp ADDRESS PORT MS      sends a datagram every MS milliseconds
 *   pause hoard PORT               is sent datagrams and never reads them: its socket is full after a few
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void end(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

static int send_for_ever(const char *address, const char *port, const char *interval_ms)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	long ms = atol(interval_ms);
	struct timespec interval = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return 1;
	for (;;) {
		/* Refusals are what the tests are about: go on. */
		(void)!sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to));
		nanosleep(&interval, NULL);
	}
}

static int hoard(const char *port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), least = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) ||
	    bind(fd, (const struct sockaddr *)&own, sizeof(own)))
		return 1;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	/* The first process of a PID namespace is not ended by a signal that it does not handle. */
	signal(SIGTERM, end);
	if (argc == 5 && !strcmp(argv[1], "udp"))
		return send_for_ever(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(argv[1], "hoard"))
		return hoard(argv[2]);
	for (;;)
		pause();
}
