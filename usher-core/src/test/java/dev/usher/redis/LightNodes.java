package dev.usher.redis;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Many nodes that cost the test's machine next to nothing: each has the two connections of an idle node, and on a Cluster two more to each primary, sends over them what
 * the product sends, at the same times, and all run on one thread. {@code FleetIT} compares what both ask of Redis.
 */
final class LightNodes implements AutoCloseable {

    private static final Duration TICK = Duration.ofMillis(50);
    private static final Duration EARLY = Duration.ofMillis(20);
    private static final Duration PULSE_EARLY = Duration.ofMillis(50);
    private static final Duration LOOK = Duration.ofSeconds(10);
    private static final Duration EVICTION_LOOK = Duration.ofMinutes(1);
    private static final Duration SILENCE = Duration.ofSeconds(10);
    private static final Duration MAP_LOOK = Duration.ofSeconds(5);
    private static final String STAYS = "1000000";
    private static final int KEYS = 7;

    /**
     * A primary of a Cluster.
     *
     * @param tag a hash tag in one of its slots
     */
    record Part(ServerAddress address, String tag) {}

    private final InetSocketAddress address;
    private final List<Part> parts;
    private final String prefix;
    private final String limitsText;
    private final Duration bound;
    private final Selector selector;
    private final List<Node> nodes = new ArrayList<>();
    private final AtomicInteger open = new AtomicInteger();
    private final LongAdder revocations = new LongAdder();
    private final Thread thread = new Thread(this::run, "light-nodes");
    private volatile boolean closed;
    private volatile @Nullable Throwable failure;

    /**
     * Starts them.
     *
     * @param at where the register is
     * @param parts of a Cluster, else none
     */
    LightNodes(ServerAddress at, String prefix, int size, String facet, Duration bound, List<Part> parts) {
        this.address = new InetSocketAddress(at.host(), at.port());
        this.parts = parts;
        this.prefix = prefix;
        this.limitsText = facet + '=' + bound.toMillis();
        this.bound = bound;
        try {
            this.selector = Selector.open();
            for (int node = 0; node < size; node++) {
                nodes.add(new Node("light-" + node));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        thread.start();
    }

    /** How many have a heartbeat that counts. */
    int open() {
        Throwable thrown = failure;
        if (thrown != null) {
            throw new IllegalStateException("a light node has failed", thrown);
        }
        return open.get();
    }

    /** How often one of them has seen a revocation. */
    long revocations() {
        return revocations.sum();
    }

    @Override
    public void close() {
        closed = true;
        selector.wakeup();
        try {
            thread.join();
            for (Node node : nodes) {
                node.close();
            }
            selector.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void run() {
        try {
            long tickAt = System.nanoTime();
            int next = 0;
            while (!closed) {
                selector.select(1);
                for (SelectionKey key : selector.selectedKeys()) {
                    ((Connection) key.attachment()).receive();
                }
                selector.selectedKeys().clear();
                // Each node has its own moment within the period.
                long now = System.nanoTime();
                int due = (int) Math.min(nodes.size(), (now - tickAt) * nodes.size() / TICK.toNanos());
                for (int i = 0; i < due; i++) {
                    nodes.get(next).tick();
                    next = (next + 1) % nodes.size();
                }
                tickAt = due == nodes.size() ? now : tickAt + due * TICK.toNanos() / nodes.size();
            }
        } catch (IOException | RuntimeException e) {
            failure = e;
        }
    }

    /** A connection, whose answers come in the order of the commands. */
    private final class Connection {

        private final SocketChannel channel;
        private final RespReader reader = new RespReader();
        private final Deque<Consumer<@Nullable Object>> answers = new ArrayDeque<>();
        private final ByteArrayOutputStream unsent = new ByteArrayOutputStream();
        private final Consumer<List<@Nullable Object>> onPush;

        private Connection(InetSocketAddress to, Consumer<List<@Nullable Object>> onPush) throws IOException {
            this.onPush = onPush;
            this.channel = SocketChannel.open(to);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ, this);
            add(answer -> {}, "HELLO", "3");
        }

        private void add(Consumer<@Nullable Object> onAnswer, String... words) {
            StringBuilder command =
                    new StringBuilder().append('*').append(words.length).append("\r\n");
            for (String word : words) {
                command.append('$')
                        .append(word.length())
                        .append("\r\n")
                        .append(word)
                        .append("\r\n");
            }
            unsent.writeBytes(command.toString().getBytes(StandardCharsets.ISO_8859_1));
            answers.addLast(onAnswer);
        }

        private void send() throws IOException {
            ByteBuffer bytes = ByteBuffer.wrap(unsent.toByteArray());
            unsent.reset();
            while (bytes.hasRemaining()) {
                int sent = channel.write(bytes); // small
                if (sent == 0) {
                    Thread.onSpinWait();
                }
            }
        }

        private void receive() throws IOException {
            int read;
            do {
                ByteBuffer buffer = reader.buffer();
                read = channel.read(buffer);
                if (read < 0) {
                    throw new IOException("Redis has closed a connection of a light node");
                }
                if (buffer.hasRemaining()) {
                    break;
                }
            } while (read > 0);
            for (Object word : reader.read()) {
                if (word instanceof RespReader.Push push) {
                    onPush.accept(push.words());
                } else {
                    answers.removeFirst().accept(word);
                }
            }
            if (unsent.size() > 0) {
                send();
            }
        }
    }

    /** What {@link SlotHeartbeat} and {@link TrackedConnection} do on a primary of a Cluster where nothing fails, and {@link ClusterSlots} asks it. */
    private final class OnPrimary {

        private final String key;
        private final AnswerLimits limits;
        private final Connection scripts;
        private final Connection tracked;
        private long marks;
        private boolean isBeating;
        private boolean isOpen;
        private long beatAt = System.nanoTime() - LOOK.toNanos();
        private long scriptsPulsedAt = beatAt;
        private long trackedPulsedAt = beatAt;
        private long clockAt = System.nanoTime() + LOOK.toNanos();
        private long mapAt = System.nanoTime() + MAP_LOOK.toNanos();
        private long evictionAt = System.nanoTime() + EVICTION_LOOK.toNanos();

        private OnPrimary(Part part, String name, AnswerLimits limits) throws IOException {
            InetSocketAddress at =
                    new InetSocketAddress(part.address().host(), part.address().port());
            this.key = "{" + part.tag() + "}:" + name;
            this.limits = limits;
            this.scripts = new Connection(at, push -> {});
            this.tracked = new Connection(at, push -> {});
            scripts.add(info -> {}, "INFO", "replication");
            scripts.send();
            tracked.add(answer -> {}, "CLIENT", "TRACKING", "on");
            tracked.send();
        }

        private void tick() throws IOException {
            long now = System.nanoTime();
            if (now - beatAt >= limits.beatNanos() - EARLY.toNanos() && !isBeating) {
                beatAt = now;
                isBeating = true;
                String mark = "light." + ++marks;
                scripts.add(answer -> look(mark), "EVALSHA", GuardScript.BEAT.sha1(), "1", key, mark, STAYS);
            }
            if (now - scriptsPulsedAt >= limits.pulseNanos() - PULSE_EARLY.toNanos()) {
                scriptsPulsedAt = now;
                scripts.add(answer -> {}, "TIME");
            }
            if (now - clockAt >= 0) {
                clockAt = now + LOOK.toNanos();
                scripts.add(answer -> {}, "TIME");
                scripts.add(answer -> {}, "INFO", "server");
                scripts.add(answer -> {}, "INFO", "replication");
            }
            if (now - mapAt >= 0) {
                mapAt = now + MAP_LOOK.toNanos();
                scripts.add(answer -> {}, "CLUSTER", "NODES");
            }
            if (now - evictionAt >= 0) {
                evictionAt = now + EVICTION_LOOK.toNanos();
                scripts.add(answer -> {}, "INFO", "memory");
            }
            scripts.send();
        }

        private void look(String mark) {
            long now = System.nanoTime();
            tracked.add(answer -> {}, "CLUSTER", "SLOTS");
            tracked.add(
                    answer -> {
                        isBeating = false;
                        if (!mark.equals(answer)) {
                            throw new IllegalStateException(key + " was answered " + answer);
                        }
                        isOpen = true;
                    },
                    "GETEX",
                    key,
                    "PX",
                    STAYS);
            if (now - trackedPulsedAt >= RedisLink.PULSE.minus(PULSE_EARLY).toNanos()) {
                trackedPulsedAt = now;
                tracked.add(answer -> {}, "PING");
            }
            try {
                tracked.send();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** What {@link NodeRegister}, {@link NodeEntry} and {@link TrackedConnection} do where nothing fails. */
    private final class Node {

        private final String name;
        private final Connection scripts;
        private final Connection tracked;
        private final RegisterScripts keys;
        private final AnswerLimits limits = new AnswerLimits();
        private final Deque<long[]> counts = new ArrayDeque<>();

        private String register = "-";
        private @Nullable String history;
        private long seen = -1;
        private long taken = -1;
        private long visible = -1;
        private long marks;
        private String mark = "";
        private long number = -1;

        private boolean isEntering;
        private boolean entersAgain;
        private boolean isEntryWanted = true;
        private long entrySentAt = System.nanoTime();
        private boolean isLooking;
        private boolean looksAgain;
        private boolean isCounted;
        private boolean isOpen;
        private long lookedAt = System.nanoTime() - LOOK.toNanos();
        private long beatAt = System.nanoTime() - LOOK.toNanos();
        private long entryDueAt = System.nanoTime();
        private long scriptsPulsedAt = lookedAt;
        private long trackedPulsedAt = lookedAt;
        private long sweepAt = System.nanoTime();
        private long clockAt = System.nanoTime() + LOOK.toNanos();
        private long evictionAt = System.nanoTime() + EVICTION_LOOK.toNanos();

        private final List<OnPrimary> primaries = new ArrayList<>();

        private Node(String name) throws IOException {
            this.name = name;
            this.keys = new RegisterScripts(prefix, name);
            limits.bound(bound);
            this.scripts = new Connection(address, push -> {});
            this.tracked = new Connection(address, this::pushed);
            scripts.add(info -> history = Replication.parse((String) info).history(), "INFO", "replication");
            scripts.send();
            tracked.add(answer -> {}, "CLIENT", "TRACKING", "on");
            tracked.send();
            for (Part part : parts) {
                primaries.add(new OnPrimary(part, name, limits));
            }
        }

        private void close() throws IOException {
            scripts.channel.close();
            tracked.channel.close();
            for (OnPrimary primary : primaries) {
                primary.scripts.channel.close();
                primary.tracked.channel.close();
            }
        }

        private void tick() throws IOException {
            for (OnPrimary primary : primaries) {
                primary.tick();
            }
            long now = System.nanoTime();
            if (history == null) {
                return;
            }
            sweepIfDue(now);
            long due = isCounted ? limits.beatNanos() : AnswerLimits.SHORTEST_BEAT.toNanos();
            if (now - lookedAt >= due - EARLY.toNanos() || now - beatAt >= limits.beatNanos() - EARLY.toNanos()) {
                lookedAt = now;
                beatAt = now;
                if (isEntryWanted || now - entryDueAt >= 0) {
                    enter(true);
                } else {
                    look();
                }
            }
            if (now - scriptsPulsedAt >= limits.pulseNanos() - PULSE_EARLY.toNanos()) {
                scriptsPulsedAt = now;
                scripts.add(answer -> {}, "TIME");
            }
            if (now - clockAt >= 0) {
                clockAt = now + LOOK.toNanos();
                scripts.add(answer -> {}, "TIME");
                scripts.add(answer -> {}, "INFO", "server");
                scripts.add(answer -> {}, "INFO", "replication");
            }
            if (now - evictionAt >= 0) {
                evictionAt = now + EVICTION_LOOK.toNanos();
                scripts.add(answer -> {}, "INFO", "memory");
            }
            scripts.send();
            tracked.send();
        }

        private void sweepIfDue(long now) {
            if (now - sweepAt < 0) {
                return;
            }
            long period = limits.sweepNanos();
            sweepAt = now + period / 2 + ThreadLocalRandom.current().nextLong(period);
            long[] old = null;
            while (!counts.isEmpty() && now - counts.peekFirst()[1] > SILENCE.toNanos()) {
                old = counts.removeFirst();
            }
            if (old != null) {
                long closedFor = Duration.ofNanos(now - old[1])
                        .minus(AnswerLimits.COUNTED_WITHOUT_ENTRY)
                        .toMillis();
                run(
                        RegisterScripts.EXPEL,
                        answer -> {},
                        register,
                        Long.toString(old[0]),
                        Long.toString(closedFor),
                        Long.toString(bound.toMillis()));
            }
        }

        private void enter(boolean looksThen) {
            if (isEntering) {
                entersAgain = true;
                return;
            }
            isEntering = true;
            entersAgain = false;
            isEntryWanted = false;
            long now = System.nanoTime();
            entrySentAt = now;
            long period = limits.entryNanos();
            entryDueAt = now + period - ThreadLocalRandom.current().nextLong(period / 4);
            marks++;
            String written = "light." + marks;
            run(
                    RegisterScripts.REGISTER,
                    answer -> {
                        isEntering = false;
                        entered((List<?>) answer, written);
                        if (looksThen) {
                            look();
                        }
                        if (see(Math.min(taken, visible)) || entersAgain) {
                            enter(false);
                        }
                    },
                    name,
                    written,
                    limitsText,
                    register,
                    String.valueOf(history),
                    Long.toString(seen),
                    Long.toString(taken),
                    "0",
                    name,
                    "#home:" + prefix,
                    Long.toString(Duration.ofHours(24).toMillis()),
                    Long.toString(SILENCE.toMillis()),
                    "");
            if (now - scriptsPulsedAt >= RedisLink.PULSE.minus(PULSE_EARLY).toNanos()) {
                scriptsPulsedAt = now;
                scripts.add(answer -> {}, "TIME");
            }
        }

        private void entered(List<?> answer, String written) {
            if (!answer.get(0).equals("ok")) {
                throw new IllegalStateException(name + " was answered " + answer);
            }
            mark = written;
            boolean isFirst = !register.equals(answer.get(1));
            register = (String) answer.get(1);
            number = (Long) answer.get(2);
            taken = number;
            if (isFirst) {
                seen = -1;
                visible = -1;
            }
            limits.nodes((Long) answer.get(8));
            long now = System.nanoTime();
            long[] last = counts.peekLast();
            if (last == null || now - last[1] >= Duration.ofMillis(500).toNanos()) {
                counts.addLast(new long[] {(Long) answer.get(3), now});
            }
        }

        private void look() {
            if (isLooking) {
                return;
            }
            isLooking = true;
            looksAgain = false;
            lookedAt = System.nanoTime();
            String[] signal = new String[1];
            String[] own = new String[1];
            tracked.add(answer -> signal[0] = String.valueOf(answer), "GETRANGE", keys.signal(), "0", "500");
            tracked.add(answer -> own[0] = String.valueOf(answer), "GETEX", keys.own(), "PX", "1000000");
            tracked.add(answer -> looked(signal[0], own[0]), "HMGET", keys.homes(), "#home:" + prefix);
            if (lookedAt - trackedPulsedAt >= RedisLink.PULSE.minus(PULSE_EARLY).toNanos()) {
                trackedPulsedAt = lookedAt;
                tracked.add(answer -> {}, "PING");
            }
            sendTracked();
        }

        private void looked(String signal, String own) {
            isLooking = false;
            String[] words = signal.split(" ", -1);
            if (words.length < 4 || !words[1].equals(register)) {
                isCounted = false;
                isEntryWanted = true;
                return;
            }
            long shown = Long.parseLong(words[3]);
            isCounted = shown == number && own.startsWith(mark + ' ');
            if (isCounted && !isOpen && primaries.stream().allMatch(primary -> primary.isOpen)) {
                isOpen = true;
                open.incrementAndGet();
            }
            visible = shown;
            if (shown - taken <= words.length - 4) {
                taken = Math.max(taken, shown);
            }
            // For the names, or with the number.
            if (taken < shown || see(shown)) {
                enter(false);
            }
            if (!isCounted && entrySentAt - lookedAt < 0 && !isEntering) {
                isEntryWanted = true;
            }
            sendScripts();
            if (looksAgain) {
                look();
            }
        }

        private boolean see(long next) {
            if (next <= seen) {
                return false;
            }
            if (seen >= 0) {
                revocations.increment();
            }
            seen = next;
            return true;
        }

        private void pushed(List<@Nullable Object> words) {
            if (String.valueOf(words.get(1)).contains(":signal")) {
                looksAgain = true;
                look();
            }
        }

        private void run(GuardScript script, Consumer<@Nullable Object> onAnswer, String... arguments) {
            String base = RegisterScripts.keyOf(prefix);
            List<String> words = new ArrayList<>(List.of(
                    "EVALSHA",
                    script.sha1(),
                    Integer.toString(KEYS),
                    keys.signal(),
                    base,
                    keys.bySeen(),
                    keys.byChange(),
                    keys.own(),
                    base + ":names",
                    keys.ended()));
            words.addAll(List.of(arguments));
            scripts.add(onAnswer, words.toArray(String[]::new));
        }

        private void sendScripts() {
            try {
                scripts.send();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private void sendTracked() {
            try {
                tracked.send();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
