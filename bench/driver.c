/* driver SOCKET CONNECTIONS MESSAGES EACH PARTIES FILE...
 *
 * Plays an MTA with CONNECTIONS smtpd processes, each a process here too, so that what is measured is
 * the filter. Each opens a milter connection, sends EACH messages through it (0: all), opens the next.
 * PARTIES clients take turns, a connection each, every one with a sender of its own, and write to
 * RECIPIENTS_EACH people in turn. The files are taken in turn until MESSAGES are through. Packets are sent as Postfix sends them: held
 * back until a reply is due. Replies are awaited only where the filter has not said that it gives none.
 *
 * Output, a line for each message: reply octet ('-' if the connection broke), microseconds from MAIL to
 * the last reply, microseconds from end-of-message to the last reply. Then "total SECONDS".
 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* SMFIP_*, the steps of the protocol: not wanted, and not answered */
enum {
    NO_CONNECT = 0x1, NO_HELO = 0x2, NO_MAIL = 0x4, NO_RCPT = 0x8, NO_BODY = 0x10, NO_HEADERS = 0x20,
    NO_EOH = 0x40, QUIET_HEADER = 0x80, NO_DATA = 0x200, QUIET_CONNECT = 0x1000, QUIET_HELO = 0x2000,
    QUIET_MAIL = 0x4000, QUIET_RCPT = 0x8000, QUIET_DATA = 0x10000, QUIET_EOH = 0x40000,
    QUIET_BODY = 0x80000, LEADING_BLANK = 0x100000
};
enum { CHUNK = 65535, REPLY_LIMIT = 1 << 20, CONNECT_TRIES = 500, RECIPIENTS_EACH = 4 };

struct field { uint32_t name, name_length, value, value_length; };
struct message { unsigned char *octets; size_t size, body; struct field *fields; int field_count; };
struct record { char reply; uint32_t whole, end; };

/* What all processes share: who takes which message, and what came of it. */
static struct { atomic_long next, connections; struct record records[]; } *shared;

static struct message *messages;
static int message_count;
static long wanted, each, parties;
static const char *path;

static void die(const char *what) { perror(what); exit(1); }

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

/* One file, line ends made CRLF in the body and LF in the fields, as the protocol has them. */
static void load(const char *name, struct message *m)
{
    FILE *file = fopen(name, "rb");
    struct stat info;
    if (!file || fstat(fileno(file), &info)) die(name);
    unsigned char *raw = malloc(info.st_size + 1);
    size_t size = fread(raw, 1, info.st_size, file), at = 0;
    fclose(file);
    m->octets = malloc(2 * size + 1);
    m->fields = malloc((size / 2 + 1) * sizeof *m->fields);
    m->field_count = 0;
    m->size = 0;
    if (size > 5 && !memcmp(raw, "From ", 5)) /* the line that mbox adds */
        while (at < size && raw[at++] != '\n') {}
    while (at < size && raw[at] != '\n' && raw[at] != '\r') {
        size_t start = m->size, colon = 0;
        for (;;) {
            while (at < size && raw[at] != '\n') {
                if (raw[at] == ':' && !colon) colon = m->size - start;
                if (raw[at] != '\r') m->octets[m->size++] = raw[at];
                at++;
            }
            at++;
            if (at >= size || (raw[at] != ' ' && raw[at] != '\t')) break;
            m->octets[m->size++] = '\n';
        }
        if (colon)
            m->fields[m->field_count++] = (struct field){
                start, colon, start + colon + 1, m->size - start - colon - 1};
    }
    while (at < size && raw[at++] != '\n') {}
    m->body = m->size;
    for (; at < size; at++) {
        if (raw[at] == '\n' && (m->size == m->body || m->octets[m->size - 1] != '\r'))
            m->octets[m->size++] = '\r';
        m->octets[m->size++] = raw[at];
    }
    free(raw);
}

struct line { int fd; uint32_t steps; long party, sent; size_t used; unsigned char out[1 << 18]; };

static int flush(struct line *l)
{
    size_t done = 0;
    while (done < l->used) {
        ssize_t n = send(l->fd, l->out + done, l->used - done, MSG_NOSIGNAL);
        if (n <= 0) return -1;
        done += n;
    }
    l->used = 0;
    return 0;
}

static void add(struct line *l, const void *data, size_t size)
{
    if (l->used + size > sizeof l->out) flush(l);
    memcpy(l->out + l->used, data, size);
    l->used += size;
}

static void start(struct line *l, char command, size_t size)
{
    uint32_t length = htonl(size + 1);
    add(l, &length, 4);
    add(l, &command, 1);
}

static void packet(struct line *l, char command, const void *data, size_t size)
{
    start(l, command, size);
    add(l, data, size);
}

static int take(int fd, void *into, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(fd, (char *)into + done, size - done, 0);
        if (n <= 0) return -1;
        done += n;
    }
    return 0;
}

/* The next reply's octet, or -1; what it carries is read, up to 12 octets are kept. */
static int reply(struct line *l, unsigned char kept[12])
{
    uint32_t length;
    unsigned char command, sink[4096];
    if (take(l->fd, &length, 4) || take(l->fd, &command, 1)) return -1;
    length = ntohl(length) - 1;
    if (length > REPLY_LIMIT) return -1;
    for (uint32_t left = length, n; left; left -= n) {
        n = left < sizeof sink ? left : sizeof sink;
        if (take(l->fd, sink, n)) return -1;
        if (left == length && kept) memcpy(kept, sink, n < 12 ? n : 12);
    }
    return command;
}

static int said_go_on(struct line *l)
{
    int command;
    if (flush(l)) return -1;
    do command = reply(l, NULL); while (command == 'p');
    return command;
}

/* Send one command unless it is not wanted; 'c' or what the filter says. */
static int step(struct line *l, uint32_t unwanted, uint32_t quiet, char command, const void *data,
                size_t size)
{
    if (l->steps & unwanted) return 'c';
    packet(l, command, data, size);
    return l->steps & quiet ? 'c' : said_go_on(l);
}

#define LITERAL(text) text, sizeof(text)

static int greet(struct line *l)
{
    uint32_t triple[3] = {htonl(6), htonl(0x1ff), htonl(0x1fffff)};
    unsigned char answer[12];
    packet(l, 'O', triple, sizeof triple);
    if (flush(l) || reply(l, answer) != 'O') return -1;
    memcpy(triple, answer, sizeof triple);
    l->steps = ntohl(triple[2]);
    packet(l, 'D', LITERAL("Cj\0mx.example.test\0{daemon_name}\0MTA"));
    l->party = atomic_fetch_add(&shared->connections, 1) % parties;
    l->sent = 0;
    static const char *networks[] = {"192.0.2", "198.51.100", "203.0.113"}; /* RFC 5737 */
    char name[128], peer[192];
    size_t named = snprintf(name, sizeof name, "mail.client%ld.example", l->party) + 1;
    memcpy(peer, name, named);
    memcpy(peer + named, "4\x10\x01", 3);
    size_t size = named + 3;
    size += snprintf(peer + size, sizeof peer - size, "%s.%ld", networks[l->party % 3],
                     (l->party / 3 + 25) % 256) + 1;
    int said = step(l, NO_CONNECT, QUIET_CONNECT, 'C', peer, size);
    return said == 'c' ? step(l, NO_HELO, QUIET_HELO, 'H', name, named) : said;
}

static int fields(struct line *l, const struct message *m)
{
    for (int i = 0; i < m->field_count; i++) {
        struct field f = m->fields[i];
        if (!(l->steps & LEADING_BLANK) && f.value_length && m->octets[f.value] == ' ')
            f.value++, f.value_length--;
        start(l, 'L', f.name_length + f.value_length + 2);
        add(l, m->octets + f.name, f.name_length);
        add(l, "", 1);
        add(l, m->octets + f.value, f.value_length);
        add(l, "", 1);
        if (!(l->steps & QUIET_HEADER)) {
            int said = said_go_on(l);
            if (said != 'c') return said;
        }
    }
    return 'c';
}

static int body(struct line *l, const struct message *m)
{
    for (size_t at = m->body; at < m->size; at += CHUNK) {
        size_t left = m->size - at;
        int said = step(l, NO_BODY, QUIET_BODY, 'B', m->octets + at, left < CHUNK ? left : CHUNK);
        if (said == 's') return 'c';
        if (said != 'c') return said;
    }
    return 'c';
}

static int end(struct line *l, const char *id, size_t size)
{
    char macro[64] = "Ei";
    memcpy(macro + 3, id, size);
    packet(l, 'D', macro, 3 + size);
    packet(l, 'E', "", 0);
    if (flush(l)) return -1;
    for (;;) {
        int said = reply(l, NULL);
        /* 'p' and every edit: more is to come */
        if (said < 0 || strchr("acdrtys4", said)) return said;
    }
}

/* MAIL or RCPT. head: the command, and its macros up to the value of the last, the address. */
static int mail_command(struct line *l, uint32_t unwanted, uint32_t quiet, const char *head,
                        const char *address)
{
    char text[256], command = *head++;
    size_t size = 0;
    for (int words = 0; words < 3; words++) {
        size_t word = strlen(head + size) + 1;
        memcpy(text + size, head + size, word);
        size += word;
    }
    size += snprintf(text + size, sizeof text - size, "%s", address) + 1;
    packet(l, 'D', text, size);
    size = snprintf(text, sizeof text, "<%s>", address) + 1;
    return step(l, unwanted, quiet, command, text, size);
}

static int send_one(struct line *l, const struct message *m, long number, int64_t *began)
{
    char id[32];
    size_t size = snprintf(id, sizeof id, "B%08lX", number) + 1;
    int said;
    char address[128];
    snprintf(address, sizeof address, "ann@sender%ld.example", l->party);
    said = mail_command(l, NO_MAIL, QUIET_MAIL, "MM{mail_mailer}\0esmtp\0{mail_addr}", address);
    snprintf(address, sizeof address, "joe%ld@example.test", (l->party + l->sent++ % RECIPIENTS_EACH) % parties);
    if (said == 'c')
        said = mail_command(l, NO_RCPT, QUIET_RCPT, "RR{rcpt_mailer}\0local\0{rcpt_addr}", address);
    if (said == 'c') said = step(l, NO_DATA, QUIET_DATA, 'T', "", 0);
    if (said == 'c' && !(l->steps & NO_HEADERS)) said = fields(l, m);
    if (said == 'c') said = step(l, NO_EOH, QUIET_EOH, 'N', "", 0);
    if (said == 'c') said = body(l, m);
    *began = now();
    return said == 'c' ? end(l, id, size) : said;
}

static void hang_up(struct line *l)
{
    packet(l, 'Q', "", 0);
    flush(l);
    close(l->fd);
    l->fd = -1;
}

static int dial(struct line *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    for (int try = 0; try < CONNECT_TRIES; try++) {
        l->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        l->used = 0;
        if (!connect(l->fd, (struct sockaddr *)&address, sizeof address)) return greet(l);
        close(l->fd); /* the backlog is full */
        usleep(2000);
    }
    return -1;
}

static void play(void)
{
    static struct line l;
    long number, sent = 0;
    l.fd = -1;
    while ((number = atomic_fetch_add(&shared->next, 1)) < wanted) {
        struct record *r = &shared->records[number];
        int64_t began = now(), end_began = began;
        int said = l.fd < 0 ? dial(&l) : 'c';
        if (said == 'c') said = send_one(&l, &messages[number % message_count], number, &end_began);
        int64_t done = now();
        *r = (struct record){said < 0 ? '-' : said, done - began, done - end_began};
        sent++;
        if (said < 0) {
            close(l.fd);
            l.fd = -1;
        } else if (each && sent % each == 0)
            hang_up(&l);
        else if (said == 'r' || said == 't' || said == 'y')
            packet(&l, 'A', "", 0);
    }
    if (l.fd >= 0) hang_up(&l);
}

int main(int count, char **arguments)
{
    if (count < 7) {
        fputs("usage: driver SOCKET CONNECTIONS MESSAGES EACH PARTIES FILE...\n", stderr);
        return 64;
    }
    int connections = atoi(arguments[2]);
    path = arguments[1];
    wanted = atol(arguments[3]);
    each = atol(arguments[4]);
    parties = atol(arguments[5]);
    message_count = count - 6;
    messages = calloc(message_count, sizeof *messages);
    for (int i = 0; i < message_count; i++) load(arguments[6 + i], &messages[i]);
    shared = mmap(NULL, sizeof *shared + wanted * sizeof(struct record), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) die("mmap");
    int64_t began = now();
    for (int i = 0; i < connections; i++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (!pid) {
            play();
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {}
    int64_t took = now() - began;
    for (long i = 0; i < wanted; i++)
        printf("%c %u %u\n", shared->records[i].reply ? shared->records[i].reply : '-',
               shared->records[i].whole, shared->records[i].end);
    printf("total %.6f\n", took / 1e6);
    return 0;
}
