package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The descriptions of the settings, for editors. */
class ConfigurationMetadataTest {

    @Test
    void everySettingHasADescription() throws IOException {
        Map<String, String> descriptions = new HashMap<>();
        URL classes =
                UsherProperties.class.getProtectionDomain().getCodeSource().getLocation();
        try (InputStream metadata = new URL(classes, "META-INF/spring-configuration-metadata.json").openStream()) {
            for (JsonNode property : JsonMapper.shared().readTree(metadata).path("properties")) {
                descriptions.put(
                        property.path("name").asString(),
                        property.path("description").asString(""));
            }
        }

        assertThat(descriptions)
                .containsKeys(
                        "usher.enabled",
                        "usher.key-prefix",
                        "usher.profile.ttl",
                        "usher.redis.require-resp3",
                        "usher.redis.cluster.nodes",
                        "usher.web.status-gate.enabled",
                        "usher.web.current-user",
                        "usher.web.revocation.end-connections",
                        "usher.web.revocation.end-sessions",
                        "usher.web.status-gate.excluded-paths",
                        "usher.web.status-gate.pass-authorities");
        assertThat(descriptions)
                .allSatisfy(
                        (name, description) -> assertThat(description).as(name).endsWith("."));
    }
}
