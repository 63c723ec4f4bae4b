package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServerRoleTest {

    @ParameterizedTest
    @CsvSource({
        "redis_mode:standalone, role:master, PRIMARY",
        "redis_mode:standalone, role:slave, REPLICA",
        "redis_mode:cluster, role:master, CLUSTER_NODE",
        "redis_mode:cluster, role:slave, CLUSTER_NODE",
        "redis_mode:sentinel, '', SENTINEL",
        // The words of Valkey.
        "server_mode:cluster, role:master, CLUSTER_NODE",
        "server_mode:standalone, role:slave, REPLICA",
        "'', '', PRIMARY"
    })
    void aServerSaysWhatItIs(String mode, String role, ServerRole expected) {
        String info = "# Server\r\nredis_version:7.0.15\r\n" + mode + "\r\nos:Linux\r\n# Replication\r\n" + role
                + "\r\nconnected_slaves:0\r\n";
        assertThat(ServerRole.parse(info)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"PRIMARY, false", "REPLICA, true", "CLUSTER_NODE, true", "SENTINEL, true"})
    void onlyAPrimaryNeedsNoAdvice(ServerRole role, boolean isAdvised) {
        assertThat(role.advice() != null).isEqualTo(isAdvised);
    }
}
