package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** An answer of the server. */
public record Answer(HttpResponse<String> response) {

    private static final JsonMapper MAPPER = new JsonMapper();

    public int status() {
        return response.statusCode();
    }

    public String text(String field) {
        return json().path(field).asString();
    }

    public JsonNode json() {
        return MAPPER.readTree(response.body());
    }

    /** This very answer, if it has that status. */
    public Answer with(int status) {
        assertThat(status()).as(response.body()).isEqualTo(status);
        return this;
    }

    /** This very answer, if it is that problem, and shows nothing of how the server works inside. */
    public Answer problem(int status, String type) {
        with(status);
        assertThat(response.headers().firstValue("Content-Type")).contains("application/problem+json");
        assertThat(text("type")).isEqualTo("urn:usher:problem:" + type);
        assertThat(text("title")).isNotBlank();
        assertThat(json().path("status").asInt()).isEqualTo(status);
        assertThat(response.body()).doesNotContainIgnoringCase("exception").doesNotContain("\tat ");
        return this;
    }
}
