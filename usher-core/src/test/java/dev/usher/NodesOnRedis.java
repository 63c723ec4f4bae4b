package dev.usher;

import dev.usher.redis.Scripts;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** A Redis for the tests of a class, empty before each of them, and nodes that are closed after it. */
abstract class NodesOnRedis {

    static RedisServer server;
    static RedisCommands<String, String> redis;
    private static RedisClient client;

    final List<UserCaches> opened = new ArrayList<>();

    @BeforeAll
    static void startRedis() {
        server = RedisServer.start();
        client = RedisClient.create(server.uri());
        redis = client.connect().sync();
        // No caller waits for a release. A script that Redis does not know is sent a second time, after the next
        // claim.
        redis.scriptLoad(Scripts.renew());
    }

    @AfterAll
    static void stopRedis() {
        client.shutdown();
        server.close();
    }

    @BeforeEach
    void emptyRedis() {
        // After a FLUSHALL, nodes would refuse the rows that were read before it.
        redis.keys("*").forEach(redis::del);
    }

    @AfterEach
    void closeNodes() {
        opened.forEach(UserCaches::close);
    }

    /** Settings of a node whose Redis answers, though a busy machine may let it answer late. */
    static UserCaches.Builder patient(String uri) {
        return UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(2));
    }

    /** A node that is closed after the test. */
    final UserCaches open(UserCaches.Builder builder) {
        UserCaches node = builder.build();
        opened.add(node);
        return node;
    }
}
