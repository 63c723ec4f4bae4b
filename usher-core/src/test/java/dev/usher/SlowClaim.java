package dev.usher;

import dev.usher.redis.GuardProtocol;
import dev.usher.redis.KeySpace;
import dev.usher.redis.Scripts;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** The claim of another process, which renews it during its load. */
final class SlowClaim implements AutoCloseable {

    private static final String LEASE = Long.toString(GuardProtocol.LEASE.toMillis());
    private static final String FENCE = Long.toString(GuardProtocol.FENCE.toMillis());

    private final ScheduledExecutorService renewals = Executors.newSingleThreadScheduledExecutor();
    private final RedisClusterCommands<String, String> redis;
    private final String guard;

    /** Claims an entry that is missing, under the token {@code slow}. */
    SlowClaim(RedisClusterCommands<String, String> redis, String key) {
        this.redis = redis;
        this.guard = KeySpace.guardOf(key);
        String[] keys = {key, guard};
        redis.eval(Scripts.claim(), ScriptOutputType.MULTI, keys, "slow", LEASE, FENCE);
        Duration pause = GuardProtocol.LEASE.dividedBy(8);
        var unused = renewals.scheduleAtFixedRate(
                () -> redis.eval(Scripts.renew(), ScriptOutputType.INTEGER, keys, "slow", LEASE, FENCE),
                0,
                pause.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    /** Whether the claim is still held. */
    boolean isHeld() {
        return String.valueOf(redis.get(guard)).startsWith("slow ");
    }

    @Override
    public void close() {
        renewals.shutdownNow();
    }
}
