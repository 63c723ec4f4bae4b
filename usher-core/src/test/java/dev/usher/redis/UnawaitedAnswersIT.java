package dev.usher.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Answers that no thread waits for, on a Redis that answers, refuses, hangs or is lost. */
@Tag("servers")
class UnawaitedAnswersIT {

    private static final Duration TIMEOUT = Duration.ofMillis(500);

    private static RedisServer server;
    private FaultProxy proxy;
    private RedisClient client;
    private ScheduledThreadPoolExecutor timer;
    private RedisLink link;

    @BeforeAll
    static void startServer() {
        server = RedisServer.start();
    }

    @AfterAll
    static void stopServer() {
        server.close();
    }

    @BeforeEach
    void connect() throws Exception {
        proxy = FaultProxy.inFrontOf(server.host(), server.port());
        RedisURI uri = RedisURI.create(proxy.host(), proxy.port());
        timer = new ScheduledThreadPoolExecutor(1);
        timer.setRemoveOnCancelPolicy(true);
        client = RedisClient.create();
        client.setOptions(ClientOptions.builder()
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .build());
        link = new RedisLink(TIMEOUT, timer, new RedisErrorLog(uri));
        link.connect(client, uri, connected -> CompletableFuture.completedStage(null))
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
    }

    @AfterEach
    void end() {
        timer.shutdownNow();
        client.shutdown(0, 2, TimeUnit.SECONDS);
        proxy.close();
    }

    @Test
    void anAnswerAndAnErrorArePassedOn() throws Exception {
        assertThat(set("answers", "value").get(10, TimeUnit.SECONDS)).isEqualTo("OK");
        assertThat(failureOf(link.bounded(link.commands().incr("answers").toCompletableFuture())))
                .isInstanceOfSatisfying(
                        SharedTierException.class,
                        refused -> assertThat(refused.errorCode()).isEqualTo("ERR"));
        await().until(() -> link.waiting() == 0);
    }

    @Test
    void aRedisThatHangsEndsThemWithinTheTimeoutAndAnswersAgainInOrder() throws Exception {
        proxy.freeze();
        CompletableFuture<String> hanging = set("hanging", "value");
        assertThat(failureOf(hanging)).isInstanceOf(SharedTierException.class);
        proxy.thaw();
        await().ignoreExceptions()
                .until(() -> set("hanging", "later").get(10, TimeUnit.SECONDS).equals("OK"));
        assertThat(link.bounded(link.commands().get("hanging").toCompletableFuture())
                        .get(10, TimeUnit.SECONDS))
                .isEqualTo("later".getBytes(UTF_8));
    }

    @Test
    void aConnectionThatIsCutOrClosedEndsThem() throws Exception {
        proxy.freeze();
        CompletableFuture<String> cut = set("lost", "value");
        proxy.cut();
        assertThat(failureOf(cut)).isInstanceOf(SharedTierException.class);
        proxy.restore();
        await().ignoreExceptions()
                .until(() -> set("lost", "value").get(10, TimeUnit.SECONDS).equals("OK"));
        proxy.freeze();
        CompletableFuture<String> closed = set("lost", "value");
        timer.shutdownNow(); // as the end of the caches does: no deadline passes any more
        client.shutdown(0, 2, TimeUnit.SECONDS);
        assertThat(failureOf(closed)).isInstanceOf(SharedTierException.class);
    }

    @Test
    void tenThousandPendingAnswersEndTogetherWhenRedisHangs() {
        proxy.freeze();
        List<CompletableFuture<String>> all = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            all.add(set("many", "value"));
        }
        assertThat(all).allSatisfy(one -> assertThat(failureOf(one)).isInstanceOf(SharedTierException.class));
        assertThat(link.isLeftAlone()).isTrue();
        assertThat(link.waiting()).isZero();
        proxy.thaw();
        await().until(() -> !link.isLeftAlone());
    }

    private CompletableFuture<String> set(String key, String value) {
        try {
            return link.bounded(link.commands().set(key, value.getBytes(UTF_8)).toCompletableFuture());
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private static Throwable failureOf(CompletableFuture<?> future) {
        return future.handle((any, failure) -> failure)
                .orTimeout(10, TimeUnit.SECONDS)
                .join();
    }
}
