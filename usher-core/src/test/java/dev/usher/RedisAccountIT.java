package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The account in Redis that the guide describes: enough for all that usher does, and no more. */
@Tag("servers")
class RedisAccountIT {

    private static final Path GUIDE = Path.of("..", "docs", "guide", "security.md");
    private static final Pattern LINE = Pattern.compile("^ *ACL SETUSER usher (.+)$", Pattern.MULTILINE);
    private static final Pattern CALLED = Pattern.compile("^cmdstat_(\\w+)[^:]*:calls=(\\d+),", Pattern.MULTILINE);

    /** Commands that every account may send, and commands that only the operator of this test sends. */
    private static final Set<String> UNGRANTED = Set.of("auth", "hello", "config", "keys");

    /** What the client library sends, and goes on without. */
    private static final Set<String> UNKNOWN_TO_SOME = Set.of("+client|setinfo", "+client|maint_notifications");

    private static final String KEY = "user:42:profile";

    private static RedisServer server;
    private static RedisClient client;
    private static RedisCommands<String, String> operator;

    /** How often the operator has read the statistics since they were reset. */
    private int statisticsReads;

    private final Table table = new Table();
    private final Map<Long, UserStatus> statuses = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    @BeforeAll
    static void start() {
        server = RedisServer.start("maxmemory 64mb", "maxmemory-policy allkeys-lru");
        client = RedisClient.create();
        operator = client.connect(RedisURI.create(server.uri())).sync();
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        server.close();
    }

    @BeforeEach
    void makeTheAccount() throws IOException {
        operator.flushall();
        rights().forEach(RedisAccountIT::grant);
        operator.aclLogReset();
        operator.configResetstat();
    }

    @Test
    void usherUsesEveryRightOfTheAccountAndNoOther() throws Exception {
        try (UserCaches here = node("");
                UserCaches there = node("")) {
            liveThroughAll(here, there);

            // The pulse and the check of the eviction policy run by themselves.
            await().untilAsserted(() -> assertThat(commandsUsed()).isEqualTo(commandsGranted()));
            await().until(() -> here.health().isWell() && there.health().isWell());
        }
        assertThat(operator.aclLog()).as("what was refused").isEmpty();
    }

    /** Loads, hits, offers, changes, refreshes, a receipt, a flush and an explanation. */
    private void liveThroughAll(UserCaches here, UserCaches there) throws Exception {
        table.put(42L, profile("Ann"));
        table.put(43L, profile("Bob"));
        UserCache<Long, UserProfile> cache = here.cache(UserProfile.FACET, Long.class, table);
        UserCache<Long, UserProfile> other = there.cache(UserProfile.FACET, Long.class, table);
        await().until(() -> cache.stats().nearOpen() && other.stats().nearOpen());

        assertThat(cache.find(42L)).contains(profile("Ann"));
        await().until(() -> operator.keys(KEY).size() == 1);
        assertThat(other.findAll(List.of(42L, 44L))).containsOnlyKeys(42L);
        cache.save(43L, profile("Bob"), Instant.now());
        assertThat(cache.stats().offersStored()).isOne();

        table.put(42L, profile("Anna"));
        cache.invalidate(42L);
        await().until(() -> other.find(42L).equals(cache.findFresh(42L)));
        assertThat(other.find(42L)).contains(profile("Anna"));
        await().until(() -> here.engine().underWay() + there.engine().underWay() == 0);

        GuardProtocol guards = here.engine().shared().guards(KEY);
        assertThat(guards.refresh(KEY, "t1", Duration.ofDays(1)).join()).isInstanceOf(Refresh.Granted.class);
        guards.release(KEY, "t1", false);

        liveThroughABan(here, there);

        // For changes from so long ago that no older row can be offered any more: the flush does not wait between its
        // passes.
        Duration offersEnd = Timing.STANDARD.offersEnd();
        long past = System.nanoTime() - offersEnd.toNanos();
        Overflow overflow = new Overflow(1, Set.of("profile"), past, past);
        new FullFlush(
                        here.engine().shared(),
                        here.engine().shared().primaryOf("user:42:profile"),
                        here.engine().scheduler(),
                        "user",
                        overflow,
                        offersEnd)
                .run()
                .get(10, TimeUnit.SECONDS);
        assertThat(operator.keys("user:*:profile")).isEmpty();

        assertThat(cache.explain(42L).agree()).isTrue();
    }

    private void liveThroughABan(UserCaches here, UserCaches there) {
        UserStatusCache<Long> status = new UserStatusCache<>(here.cache(UserStatus.FACET, Long.class, ids -> statuses));
        UserStatusCache<Long> otherStatus =
                new UserStatusCache<>(there.cache(UserStatus.FACET, Long.class, ids -> statuses));
        node("").close(); // enters the register, and leaves it
        operator.scriptFlush(); // the next call of each script sends its text
        assertThat(status.isEnabled(42L)).isTrue();
        assertThat(otherStatus.isEnabled(42L)).isTrue();

        RevocationReceipt receipt = status.disable(42L, () -> statuses.put(42L, UserStatus.DISABLED));

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.nodesConfirmed()).hasSize(2);
        assertThat(otherStatus.isEnabled(42L)).isFalse();
    }

    /** Redis counts all calls of {@code CLIENT} together: the refusal of each subcommand shows that it is used. */
    @ParameterizedTest
    @MethodSource("subcommands")
    void eachSubcommandIsUsed(String right) throws IOException {
        assumeThat(isGranted(right))
                .as("a server without this subcommand refuses it to all")
                .isTrue();
        grant("-client -script");
        subcommands().filter(other -> !other.equals(right)).forEach(RedisAccountIT::grant);

        try (UserCaches here = node("")) {
            await().until(() -> !operator.aclLog().isEmpty());
            assertThat(operator.aclLog())
                    .allMatch(refused -> right.substring(1).startsWith(String.valueOf(refused.get("object"))));
            await().until(() -> here.health().nearOpen() == !right.equals("+client|tracking"));
        }
    }

    /** The text of a script is then sent with its first call. */
    @Test
    void withoutTheRightToLoadScriptsAllGoesWell() {
        grant("-script");
        table.put(42L, profile("Ann"));
        List<String> lines = LogLines.of("dev.usher", () -> {
            try (UserCaches here = node("")) {
                UserCache<Long, UserProfile> cache = here.cache(UserProfile.FACET, Long.class, table);
                await().until(() -> here.health().isWell());
                assertThat(cache.save(42L, profile("Ann"), cache.beforeRead())).isTrue();
                assertThat(cache.invalidate(42L)).isTrue();
                assertThat(cache.find(42L)).contains(profile("Ann"));
                assertThat(here.health().isWell()).isTrue();
            }
        });
        assertThat(lines).noneMatch(line -> line.toLowerCase(Locale.ROOT).contains("script"));
        assertThat(operator.aclLog())
                .isNotEmpty()
                .allMatch(refused -> String.valueOf(refused.get("object")).startsWith("script"));
    }

    static Stream<String> subcommands() throws IOException {
        return rights().stream()
                .flatMap(rules -> Arrays.stream(rules.split(" ")))
                .filter(rule -> rule.contains("|"));
    }

    @Test
    void anotherDatabaseTakesOneRightMore() throws IOException {
        assertThat(Files.readString(GUIDE)).contains("ACL SETUSER usher +select\n");
        grant("+select");
        try (UserCaches here = node("/1")) {
            await().until(() -> here.health().isWell());
        }
        assertThat(operator.aclLog()).isEmpty();
    }

    @Test
    void keysOfOthersAreOutOfReach() {
        List<String> foreign =
                List.of("other:1:status", "users:1:status", "{other:nodes}", "{users:1:status}:guard", "use");
        foreign.forEach(key -> operator.set(key, "1"));
        try (StatefulRedisConnection<String, String> connection = client.connect(uri(""))) {
            RedisCommands<String, String> usher = connection.sync();
            usher.set("user:1:status", "1");
            for (String key : foreign) {
                assertRefused(() -> usher.get(key));
                assertRefused(() -> usher.mget("user:1:status", key));
                assertRefused(() -> usher.strlen(key));
                assertRefused(() -> usher.set(key, "0"));
                assertRefused(() -> usher.del("user:1:status", key));
                assertRefused(() -> usher.eval("return 1", ScriptOutputType.INTEGER, key));
                assertRefused(() -> usher.eval("return redis.call('DEL', '" + key + "')", ScriptOutputType.INTEGER));
            }
            assertThat(usher.get("user:1:status")).isEqualTo("1");
        }
        assertThat(foreign).allSatisfy(key -> assertThat(operator.get(key)).isEqualTo("1"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "FLUSHALL",
                "FLUSHDB",
                "KEYS *",
                "CONFIG GET maxmemory",
                "ACL SETUSER usher +@all",
                "CLIENT LIST",
                "CLIENT KILL ID 1",
                "SWAPDB 0 1",
                "SELECT 1",
                "RENAME user:1:a user:2:a",
                "SCRIPT FLUSH",
                "MONITOR",
                "REPLICAOF NO ONE",
                "SHUTDOWN NOSAVE",
                "PUBLISH user:1 a",
                "SUBSCRIBE user:1",
                "DUMP user:1:a"
            })
    void whatIsAnOperatorsIsRefused(String command) {
        try (StatefulRedisConnection<String, String> connection = client.connect(uri(""))) {
            String[] words = command.split(" ");
            CommandArgs<String, String> arguments = new CommandArgs<>(StringCodec.UTF8);
            Arrays.stream(words).skip(1).forEach(arguments::add);
            assertRefused(() -> connection
                    .sync()
                    .dispatch(CommandType.valueOf(words[0]), new ArrayOutput<>(StringCodec.UTF8), arguments));
        }
    }

    private static void assertRefused(ThrowingCallable call) {
        assertThatExceptionOfType(RedisCommandExecutionException.class)
                .isThrownBy(call)
                .withMessageMatching(
                        "(?s).*(NOPERM|can't access at least one of the keys|No permissions to access a key).*");
    }

    /** The rules of the guide's block for the caches; the later blocks are for optional features. */
    private static List<String> rights() throws IOException {
        String guide = Files.readString(GUIDE);
        int from = guide.indexOf("ACL SETUSER usher reset ");
        assertThat(from).as("the account in %s", GUIDE).isPositive();
        return LINE.matcher(guide.substring(from, guide.indexOf("```", from)))
                .results()
                .map(line -> line.group(1))
                .toList();
    }

    private static void grant(String rules) {
        Arrays.stream(rules.split(" ")).forEach(RedisAccountIT::grantOne);
    }

    private static void grantOne(String rule) {
        // As the guide says: newer servers refuse to grant a subcommand that they do not have.
        assertThat(isGranted(rule) || UNKNOWN_TO_SOME.contains(rule)).as(rule).isTrue();
    }

    private static boolean isGranted(String rule) {
        CommandArgs<String, String> arguments =
                new CommandArgs<>(StringCodec.UTF8).add("SETUSER").add("usher").add(rule);
        try {
            operator.dispatch(CommandType.ACL, new ArrayOutput<>(StringCodec.UTF8), arguments);
            return true;
        } catch (RedisCommandExecutionException e) {
            return false;
        }
    }

    private static Set<String> commandsGranted() throws IOException {
        return Pattern.compile("\\+(\\w+)")
                .matcher(String.join(" ", rights()))
                .results()
                .map(right -> right.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** What Redis has executed for usher, in scripts or by itself. */
    private Set<String> commandsUsed() {
        String figures = operator.info("commandstats");
        int own = statisticsReads++;
        return CALLED.matcher(figures)
                .results()
                .filter(line -> Long.parseLong(line.group(2)) > (line.group(1).equals("info") ? own : 0))
                .map(line -> line.group(1))
                .filter(command -> !UNGRANTED.contains(command))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static UserCaches node(String database) {
        return UserCaches.builder()
                .redis(uri(database))
                .timing(NodesOnRedis.TRUSTING.withRegisterLife(
                        Duration.ofSeconds(2))) // so that silent nodes are looked for
                .commandTimeout(Duration.ofSeconds(1))
                .build();
    }

    private static RedisURI uri(String database) {
        return RedisURI.create(
                "redis://usher:a-long-secret-of-your-own@" + server.host() + ":" + server.port() + database);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
