/* An SMTP server that costs next to nothing: takes everything, keeps nothing. cc -O2 -o sink _sink.c; ./sink PORT
 * Several may listen on one port (SO_REUSEPORT). It answers each command line, and each final dot, and no more. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#define MAX 4096
static struct { int content; char tail[5]; int kept; char line[512]; int length; } peers[MAX];
static char in[262144], out[65536];
static int used;
static void say(const char *text) { int n = strlen(text); if (used + n < (int)sizeof out) { memcpy(out + used, text, n); used += n; } }
static void hear(int fd) {
    switch (peers[fd].line[0] | 32) {
    case 'e': say("250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"); break;
    case 'd': say("354 go\r\n"); peers[fd].content = 1; memcpy(peers[fd].tail, "\0\0\0\r\n", 5); break;
    case 'q': say("221 bye\r\n"); break;
    default: say("250 ok\r\n");
    }
}
static void read_from(int fd) {
    int n = read(fd, in, sizeof in), i = 0;
    if (n <= 0) { close(fd); return; }
    used = 0;
    while (i < n) {
        if (peers[fd].content) {
            /* The end may lie across two reads: look at the last bytes of the one before, too. */
            char edge[9]; int take = n - i < 4 ? n - i : 4, end = -1;
            memcpy(edge, peers[fd].tail, 5); memcpy(edge + 5, in + i, take);
            char *at = memmem(edge, 5 + take, "\r\n.\r\n", 5);
            if (at) end = i + (int)(at - edge);
            else if ((at = memmem(in + i, n - i, "\r\n.\r\n", 5))) end = (int)(at - in) + 5;
            if (end < 0) {
                if (n - i >= 5) memcpy(peers[fd].tail, in + n - 5, 5);
                else { memmove(peers[fd].tail, peers[fd].tail + (n - i), 5 - (n - i)); memcpy(peers[fd].tail + 5 - (n - i), in + i, n - i); }
                break;
            }
            i = end; peers[fd].content = 0; say("250 ok\r\n");
        } else {
            char c = in[i++];
            if (c == '\n') { hear(fd); peers[fd].length = 0; }
            else if (peers[fd].length < 511) peers[fd].line[peers[fd].length++] = c;
        }
    }
    if (used && write(fd, out, used) < 0) close(fd);
}
int main(int count, char **words) {
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); setsockopt(door, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(door, (void *)&here, sizeof here) || listen(door, 1024)) return 1;
    struct epoll_event it = {.events = EPOLLIN, .data.fd = door}, found[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &it);
    for (;;) for (int n = epoll_wait(poll, found, 64, -1); n-- > 0;) {
        int fd = found[n].data.fd;
        if (fd != door) { read_from(fd); continue; }
        if ((fd = accept(door, 0, 0)) < 0 || fd >= MAX) continue;
        memset(&peers[fd], 0, sizeof peers[fd]);
        it.data.fd = fd; epoll_ctl(poll, EPOLL_CTL_ADD, fd, &it);
        if (write(fd, "220 sink\r\n", 10) < 0) close(fd);
    }
}
