package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerSettingsTest {

    @Test
    void anEmptyEnvironmentMeansPort8080AndServersOfItsOwn() {
        assertThat(ServerSettings.of(Map.of())).isEqualTo(new ServerSettings(8080, null, null, null, null));
    }

    @Test
    void anEmptyVariableIsNoVariable() {
        assertThat(ServerSettings.of(Map.of("PORT", "", "USHER_REDIS_URI", " ", "USHER_DATABASE_URL", "")))
                .isEqualTo(ServerSettings.of(Map.of()));
    }

    @Test
    void theEnvironmentNamesTheServersToUse() {
        assertThat(ServerSettings.of(Map.of(
                        "PORT", "0",
                        "USHER_REDIS_URI", "rediss://usher:secret@cache:6380/1",
                        "USHER_DATABASE_URL", "jdbc:postgresql://db/users",
                        "USHER_DATABASE_USERNAME", "usher",
                        "USHER_DATABASE_PASSWORD", "secret")))
                .isEqualTo(new ServerSettings(
                        0, "rediss://usher:secret@cache:6380/1", "jdbc:postgresql://db/users", "usher", "secret"))
                .asString()
                .doesNotContain("secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis-sentinel://usher:secret@one:26379,[::1]:26380/1#primary",
                "rediss-sentinel://one,two#primary",
                "redis-cluster://usher:secret@one:7001,[::1]:7002",
                "rediss-cluster://one,two:7001/0",
                "redis-cluster://one?clientName=front",
                "redis://[::1]:6379"
            })
    void redisMayStandBehindSentinelsBeAClusterAndHaveAnIpv6Address(String uri) {
        assertThat(ServerSettings.of(Map.of("USHER_REDIS_URI", uri)).redisUri()).isEqualTo(uri);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:postgresql://db/users",
                "jdbc:mariadb://db:3307/users?sslMode=trust",
                "jdbc:mysql://db/users"
            })
    void theDatabaseIsOneOfThese(String url) {
        assertThat(ServerSettings.of(Map.of("USHER_DATABASE_URL", url)).databaseUrl())
                .isEqualTo(url);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "65536", "80000000000", "http", "80.5"})
    void aPortThatIsNoneIsRefused(String port) {
        assertThatThrownBy(() -> ServerSettings.of(Map.of("PORT", port)))
                .isInstanceOf(CommandException.class)
                .hasMessage("PORT must be a number from 0 to 65535, but is '" + port + "'");
    }

    @ParameterizedTest
    @CsvSource({
        "USHER_REDIS_URI,    http://usher:secret@cache",
        "USHER_REDIS_URI,    redis://usher:sec ret@cache",
        "USHER_REDIS_URI,    redis://usher:secret@cache:port",
        "USHER_REDIS_URI,    redis-sentinel://usher:secret@cache:26379",
        "USHER_REDIS_URI,    redis-sentinel://usher:secret@cache:port#primary",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:port",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:0",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:70000",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@::1:7001",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@[cache]:7001",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:7001/3",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:7001/users",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:7001?database=3",
        "USHER_REDIS_URI,    redis-cluster://usher:secret@cache:7001#primary",
        "USHER_REDIS_URI,    cluster://usher:secret@cache:7001",
        "USHER_DATABASE_URL, postgresql://usher:secret@db/users",
        "USHER_DATABASE_URL, jdbc:oracle:thin:db/users?password=secret",
        "USHER_DATABASE_URL, jdbc:mariadb://usher:secret@db/users",
        "USHER_DATABASE_URL, jdbc:postgresql://usher:secret@db/users",
        "USHER_DATABASE_URL, jdbc:postgresql://usher:secret@db/users?ssl=true",
    })
    void anAddressThatCannotBeUsedIsRefusedWithoutItsPassword(String variable, String address) {
        assertThatThrownBy(() -> ServerSettings.of(Map.of(variable, address)))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining(variable)
                .hasMessageNotContaining("secret")
                .hasMessageNotContaining("ret@");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis-cluster://usher:secret@one:7001,,two:7002",
                "redis-cluster://usher:secret@one:7001,usher:secret@two:7002",
                "redis-cluster://usher:secret@one:7001,redis-cluster://usher:secret@two:7002"
            })
    void aListOfNodesThatCannotBeReadIsRefusedWithoutItsPassword(String uri) {
        assertThatThrownBy(() -> ServerSettings.of(Map.of("USHER_REDIS_URI", uri)))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("redis-cluster://host:7001,host:7001")
                .hasMessageNotContaining("secret");
    }

    @Test
    void aDatabaseOfAClusterIsNamed() {
        assertThatThrownBy(() -> ServerSettings.of(Map.of("USHER_REDIS_URI", "redis-cluster://cache:7001/3")))
                .hasMessage(
                        "USHER_REDIS_URI names the database 3 of a Redis Cluster, which has none but 0: leave it out");
    }

    @ParameterizedTest
    @CsvSource({
        ",,true",
        "redis://redis:6379,,false",
        ",jdbc:postgresql://db/app,false",
        "redis://redis,jdbc:mariadb://db/app,false"
    })
    void aRelayIsThereByDefaultOnlyWhereNoServerIsOfAFleet(String redis, String database, boolean hasRelay) {
        Map<String, String> environment = new HashMap<>();
        environment.put("USHER_REDIS_URI", redis);
        environment.put("USHER_DATABASE_URL", database);
        assertThat(RunningServer.hasRelay(ServerSettings.of(environment))).isEqualTo(hasRelay);
    }
}
