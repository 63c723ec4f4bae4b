package dev.usher.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.SlotHash;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Reads of a server of a Cluster that go together. */
@Tag("thorough")
class BatchedReadsIT {

    /** As many reads are under way each by itself. */
    private static final int ALONE = 16;

    @Test
    void aKeyThatIsElsewhereFailsNoOtherReadOfItsBatch() {
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).start();
                RedisClient client = RedisClient.create()) {
            RedisServer server = cluster.primaries().get(0);
            StatefulRedisConnection<String, byte[]> connection =
                    client.connect(TextKeysCodec.INSTANCE, RedisURI.create(server.uri()));
            List<String> keys = keysOf(0, 40);
            keys.forEach(key -> connection.sync().set(key, "value".getBytes(UTF_8)));
            List<Integer> sizes = new ArrayList<>();
            BatchedReads reads = new BatchedReads(connection, true, sizes::add);
            String elsewhere = keysOf(2, 1).get(0);

            server.freeze();
            List<CompletableFuture<byte @Nullable []>> answers = new ArrayList<>();
            keys.subList(0, 30).forEach(key -> answers.add(reads.get(key)));
            CompletableFuture<byte @Nullable []> moved = reads.get(elsewhere);
            keys.subList(30, 40).forEach(key -> answers.add(reads.get(key)));
            server.thaw();

            assertThat(answers)
                    .allSatisfy(
                            answer -> assertThat(answer.join()).asString(UTF_8).isEqualTo("value"));
            await().until(moved::isDone);
            assertThat(moved.handle((value, failure) -> failure).join())
                    .isInstanceOf(RedisCommandExecutionException.class)
                    .hasMessageStartingWith("MOVED");
            assertThat(sizes.subList(0, ALONE)).containsOnly(1);
            assertThat(sizes).hasSizeLessThan(41).anyMatch(size -> size > 1);

            List<StoredValue> together =
                    reads.getAll(List.of(keys.get(0), elsewhere)).join();
            assertThat(together.get(0).isRefused()).isFalse();
            assertThat(together.get(1).isRefused()).isTrue();
        }
    }

    private static List<String> keysOf(int third, int count) {
        return LongStream.iterate(1, id -> id + 1)
                .mapToObj(id -> "user:" + id + ":profile")
                .filter(key -> SlotHash.getSlot(key) * 3 / SlotHash.SLOT_COUNT == third)
                .limit(count)
                .toList();
    }
}
