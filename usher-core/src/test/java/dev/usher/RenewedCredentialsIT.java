package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.lettuce.core.RedisCredentials;
import io.lettuce.core.RedisCredentialsProvider;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Accounts in Redis whose passwords are renewed while a node runs. */
class RenewedCredentialsIT extends NodesOnRedis {

    private static final Pattern ID = Pattern.compile("(?m)^id=(\\d+) .*user=usher");

    @AfterEach
    void removeTheAccount() {
        command(CommandType.ACL, "DELUSER", "usher", "usher2");
    }

    @Test
    void eachNewConnectionAsksForTheAccount() {
        command(CommandType.ACL, "SETUSER", "usher", "on", ">old-s3cret", "~*", "+@all");
        AtomicReference<String> password = new AtomicReference<>("old-s3cret");
        List<String> lines = LogLines.of("dev.usher", () -> {
            UserCaches node = open(patient(uri())
                    .credentials(RedisCredentialsProvider.from(() -> RedisCredentials.just("usher", password.get()))));
            await().until(() -> node.health().isWell());
            List<String> before = connections();

            command(CommandType.ACL, "SETUSER", "usher", "resetpass", ">new-s3cret");
            password.set("new-s3cret");
            command(CommandType.CLIENT, "KILL", "USER", "usher");

            await().until(() -> node.health().isWell() && connections().size() == 2);
            assertThat(connections()).doesNotContainAnyElementsOf(before);
            assertThat(node.health().toString()).doesNotContain("s3cret");
        });
        assertThat(lines.toString()).doesNotContain("s3cret");
    }

    @Test
    void credentialsThatAreRenewedAuthenticateTheConnectionsThatStand() {
        command(CommandType.ACL, "SETUSER", "usher", "on", ">old-s3cret", "~*", "+@all");
        command(CommandType.ACL, "SETUSER", "usher2", "on", ">new-s3cret", "~*", "+@all");
        Renewed renewed = new Renewed(RedisCredentials.just("usher", "old-s3cret"));
        UserCaches node = open(patient(uri()).credentials(renewed));
        await().until(() -> node.health().isWell());
        List<String> before = connections();
        assertThat(before).hasSize(2);

        renewed.set(RedisCredentials.just("usher2", "new-s3cret"));

        await().until(() -> redis.clientList()
                        .lines()
                        .filter(client -> client.contains("user=usher2"))
                        .count()
                == 2);
        assertThat(connections()).as("no connection was made anew").isEqualTo(before);
        assertThat(node.health().isWell()).isTrue();
    }

    /** Credentials that are told whenever they change. */
    private static final class Renewed implements RedisCredentialsProvider {

        private final Sinks.Many<RedisCredentials> changes =
                Sinks.many().replay().latest();

        private Renewed(RedisCredentials first) {
            set(first);
        }

        private void set(RedisCredentials credentials) {
            changes.tryEmitNext(credentials).orThrow();
        }

        @Override
        public Mono<RedisCredentials> resolveCredentials() {
            return changes.asFlux().next();
        }

        @Override
        public boolean supportsStreaming() {
            return true;
        }

        @Override
        public Flux<RedisCredentials> credentials() {
            return changes.asFlux();
        }
    }

    /** The ids of the connections of the account, as Redis counts them. */
    private static List<String> connections() {
        return ID.matcher(redis.clientList())
                .results()
                .map(client -> client.group(1))
                .sorted()
                .toList();
    }

    private static void command(CommandType command, String... words) {
        CommandArgs<String, String> arguments = new CommandArgs<>(StringCodec.UTF8);
        List.of(words).forEach(arguments::add);
        redis.dispatch(command, new ArrayOutput<>(StringCodec.UTF8), arguments);
    }
}
