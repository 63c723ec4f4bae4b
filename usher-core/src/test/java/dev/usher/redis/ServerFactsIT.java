package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ServerFactsIT {

    /** A listener takes locks of its own, whose holders ask for the facts. */
    private static final class Told implements ServerFacts.Listener {

        private final List<String> calls = new CopyOnWriteArrayList<>();
        private volatile Object facts = this;

        private void note(String call) {
            calls.add(call + (Thread.holdsLock(facts) ? ", locked" : ""));
        }

        @Override
        public void replicated(Replication now) {
            note("replicated");
        }

        @Override
        public void identified(boolean hasAll) {
            note(hasAll ? "the same" : "another");
        }

        @Override
        public void replaced() {
            note("replaced");
        }
    }

    @Test
    void aListenerIsToldOutsideOfTheLock() {
        RedisClient client = RedisClient.create();
        try (RedisServer server = RedisServer.start();
                RedisServer other = RedisServer.start()) {
            Told told = new Told();
            ServerFacts facts =
                    new ServerFacts(new RedisErrorLog(RedisURI.create(server.uri())), null, false, Duration.ZERO, told);
            told.facts = facts;

            look(facts, client, server);
            look(facts, client, other);
            facts.lost();
            look(facts, client, other);

            assertThat(told.calls)
                    .containsExactly("another", "replicated", "replaced", "replicated", "the same", "replicated");
        } finally {
            client.shutdown(0, 2, TimeUnit.SECONDS);
        }
    }

    private static void look(ServerFacts facts, RedisClient client, RedisServer server) {
        var redis = client.connect(TextKeysCodec.INSTANCE, RedisURI.create(server.uri()))
                .async();
        facts.lookAtRole(redis).toCompletableFuture().join();
    }
}
