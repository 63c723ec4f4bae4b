package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelayHealth.State;
import dev.usher.relay.RelaySite.Node;
import dev.usher.testkit.FaultProxy;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is judged of a log besides: of a table, a {@link TriggerTableContract} does, or it is the relay's part alone. */
@Tag("thorough")
abstract class LogRelayFaults extends RelayFaults {

    LogRelayFaults(RelayKind kind) {
        super(kind);
    }

    @Test
    void aStandbyTakesOverFromARelayThatIsKilledOrStandsStill(@TempDir Path folder) throws Exception {
        Path log = folder.resolve("relay.log");
        Process active = RelayProcess.start(site, log);
        try {
            await().atMost(PATIENCE).until(() -> says(log, "FOLLOWING"));
            ChangeRelay standby = site.relay(one);
            await().atMost(PATIENCE).until(() -> standby.health().state() == State.STANDBY);
            new ProcessBuilder("kill", "-STOP", Long.toString(active.pid()))
                    .start()
                    .waitFor();
            long frozen = System.nanoTime();
            site.sql("UPDATE users SET name = 'while it stood still'");
            await().atMost(PATIENCE).until(() -> standby.health().isActive());
            System.out.println("Taken over from a relay that stands still after " + millisSince(frozen) + " ms");
            awaitAgreement("standing still");
            new ProcessBuilder("kill", "-CONT", Long.toString(active.pid()))
                    .start()
                    .waitFor();
            await().atMost(PATIENCE).until(() -> says(log, "STANDBY"));
            site.sql("UPDATE users SET name = 'after it'");
            awaitAgreement("after it stood still");
            long before = times(log, "FOLLOWING");
            standby.close();
            await().atMost(PATIENCE).until(() -> times(log, "FOLLOWING") > before);
            ChangeRelay next = site.relay(one);
            await().atMost(PATIENCE).until(() -> next.health().state() == State.STANDBY);
            active.destroyForcibly().waitFor();
            long killed = System.nanoTime();
            await().atMost(PATIENCE).until(() -> next.health().isActive());
            System.out.println("Taken over from a relay that was killed after " + millisSince(killed) + " ms");
            site.sql("UPDATE users SET name = 'the last'");
            awaitAgreement("taken over");
        } finally {
            active.destroyForcibly();
        }
    }

    @Test
    void tenThousandRowsInOneStatement() {
        site.insertUsers(1001, 11_000, "old");
        ChangeRelay relay = following();
        one.profiles().findAll(LongStream.rangeClosed(1001, 11000).boxed().toList());
        other.profiles().findAll(LongStream.rangeClosed(1001, 11000).boxed().toList());
        long fences = relay.health().fences();
        long begun = System.nanoTime();
        site.sql("UPDATE users SET name = 'new' WHERE id > 1000");
        await().atMost(PATIENCE).until(() -> relay.health().fences() - fences >= 10_000);
        System.out.println("10,000 rows of one statement are fenced after " + millisSince(begun) + " ms");
        for (Node node : List.of(one, other)) {
            assertThat(node.profiles()
                            .findAll(LongStream.rangeClosed(1001, 11000).boxed().toList())
                            .values())
                    .hasSize(10_000)
                    .allMatch(profile -> profile.name().equals("new"));
        }
    }

    @Test
    void aTableThatIsEmptied() {
        ChangeRelay relay = following();
        readAll();
        site.sql("TRUNCATE users");
        awaitAgreement("emptied");
        assertThat(relay.health().flushes()).isEqualTo(2);
    }

    @Test
    void aRelayThatAloneHasLostRedisLeavesTheLogToAnother() {
        try (FaultProxy proxy = FaultProxy.inFrontOf(site.redis.host(), site.redis.port())) {
            ChangeRelay cutOff = site.relay(site.node("redis://" + proxy.host() + ":" + proxy.port()));
            await().atMost(PATIENCE).until(() -> site.isSettled(cutOff, one));
            ChangeRelay standby = site.relay(one);
            await().atMost(PATIENCE).until(() -> standby.health().state() == State.STANDBY);
            readAll();
            proxy.refuse();
            site.sql("UPDATE users SET name = 'cut off' WHERE id = 4");
            awaitAgreement("cut off");
            assertThat(standby.health().isActive()).isTrue();
            assertThat(standby.health().flushes()).isZero();
            proxy.restore();
            await().atMost(PATIENCE).until(() -> cutOff.health().state() == State.STANDBY);
            site.closeAll();
        }
    }
}
