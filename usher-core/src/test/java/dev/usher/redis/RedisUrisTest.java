package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.usher.UserCaches;
import io.lettuce.core.RedisCredentials;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RedisUrisTest {

    @Test
    void sentinelsHaveTheAccountAndTheDatabaseOfAnyUri() {
        RedisURI uri = RedisUris.parse(
                "rediss-sentinel://usher:s3%40cret@one:26380,[::1]:26381,two/3?clientName=front&timeout=5s#the%20primary");

        assertThat(uri.getSentinelMasterId()).isEqualTo("the primary");
        assertThat(uri.getDatabase()).isEqualTo(3);
        assertThat(uri.getClientName()).isEqualTo("front");
        assertThat(uri.getTimeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(uri.isSsl()).isTrue();
        RedisCredentials account = accountOf(uri);
        assertThat(account.getUsername()).isEqualTo("usher");
        assertThat(account.getPassword()).isEqualTo("s3@cret".toCharArray());
        assertThat(uri.getSentinels()).extracting(RedisURI::getHost).containsExactly("one", "::1", "two");
        assertThat(uri.getSentinels()).extracting(RedisURI::getPort).containsExactly(26380, 26381, 26379);
        assertThat(uri.getSentinels()).allMatch(RedisURI::isSsl);
        assertThat(uri.getSentinels()).allMatch(sentinel -> !accountOf(sentinel).hasPassword());
        assertThat(uri.toString()).doesNotContain("s3@cret", "s3%40cret");
    }

    private static RedisCredentials accountOf(RedisURI uri) {
        return uri.getCredentialsProvider().resolveCredentials().blockOptional().orElseThrow();
    }

    @Test
    void nodesOfAClusterHaveTheAccountOfTheUri() {
        List<RedisURI> nodes =
                RedisUris.cluster("rediss-cluster://usher:s3%40cret@one:7001,[::1]:7002,two/?clientName=front");

        assertThat(nodes).extracting(RedisURI::getHost).containsExactly("one", "::1", "two");
        assertThat(nodes).extracting(RedisURI::getPort).containsExactly(7001, 7002, 6379);
        assertThat(nodes).allSatisfy(node -> {
            assertThat(node.isSsl()).isTrue();
            assertThat(node.getClientName()).isEqualTo("front");
            assertThat(accountOf(node).getPassword()).isEqualTo("s3@cret".toCharArray());
        });
        assertThat(RedisUris.isCluster("redis-cluster://one")).isTrue();
        assertThat(RedisUris.isCluster("redis://one")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis-cluster://:s3cret@one:port",
                "redis-cluster://:s3cret@one:1,,two:2",
                "redis-cluster://:s3cret@one:1/three",
                "redis-cluster://:s3cret@::1:7001",
                "redis-cluster://:s3cret@one:1,:s3cret@two:2",
                "redis-cluster://:s3cret@one:1#primary",
                "redis-cluster://:s3cret@one:0",
                "redis-cluster://:s3cret@",
                "redis-cluster:s3cret"
            })
    void whatIsNoClusterIsNotQuoted(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RedisUris.cluster(text))
                .satisfies(failure -> assertThat(failure).hasMessageNotContaining("s3cret"));
    }

    @Test
    void aDatabaseOfAClusterIsRefusedWhenTheCachesAreBuilt() {
        for (String text : List.of("redis-cluster://:s3cret@one:1/3", "redis-cluster://:s3cret@one:1?database=3")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> UserCaches.builder().redis(text))
                    .withMessage("a Redis Cluster has no database but 0: leave the database out of its settings");
        }
        assertThat(RedisUris.cluster("redis-cluster://one:1/0")).hasSize(1);
    }

    @Test
    void theNameOfThePrimaryMayBeAParameter() {
        assertThat(RedisUris.parse("redis-sentinel://one?sentinelMasterId=primary")
                        .getSentinelMasterId())
                .isEqualTo("primary");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis-sentinel://:s3cret@one:26379",
                "redis-sentinel://:s3cret@one:port#primary",
                "redis-sentinel://:s3cret@one:70000#primary",
                "redis-sentinel://:s3cret@one:1,,two:2#primary",
                "redis-sentinel://:s3cret@::1:26379#primary",
                "redis-sentinel://:s3cret@[one]:26379#primary",
                "redis-sentinel://:s3cret@#primary",
                "redis-sentinel:///s3cret",
                "redis://:s3cret@host:port",
                "http://:s3cret@host",
                "s3cret"
            })
    void whatIsNoAddressIsRefusedAndNotQuoted(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RedisUris.parse(text))
                .satisfies(refusal -> {
                    for (Throwable cause = refusal; cause != null; cause = cause.getCause()) {
                        assertThat(cause.toString()).doesNotContain("s3cret");
                    }
                });
    }

    @Test
    void aCopyHasTheSentinelsAndTheirAccounts() {
        RedisURI uri = RedisUris.parse("rediss-sentinel://:s3cret@one,two/3?clientName=front#primary");
        uri.getSentinels()
                .get(0)
                .setCredentialsProvider(RedisURI.create("redis://:pr1vate@h").getCredentialsProvider());

        RedisURI copy = RedisUris.copyOf(uri);

        assertThat(copy).isEqualTo(uri).isNotSameAs(uri);
        assertThat(copy.getClientName()).isEqualTo("front");
        assertThat(copy.isSsl()).isTrue();
        assertThat(copy.getCredentialsProvider()).isSameAs(uri.getCredentialsProvider());
        assertThat(copy.getSentinels().get(0).getCredentialsProvider())
                .isSameAs(uri.getSentinels().get(0).getCredentialsProvider());
        assertThat(copy.getSentinels().get(0)).isNotSameAs(uri.getSentinels().get(0));
    }

    @ParameterizedTest
    @CsvSource({
        "one:1, one:1",
        "ONE, one:7",
        "127.0.0.1:1, 127.0.0.1:1",
        "[0:0:0:0:0:0:0:1]:1, [::1]:1",
        "[::1], [::1]:7"
    })
    void anAddressHasOneSpelling(String text, String spelled) {
        assertThat(ServerAddress.parse(text, 7)).hasToString(spelled);
    }
}
