package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Several users in one call. */
class ManyUsersReadIT {

    private final Node node = Shared.NODE;
    private final User ann = node.register();
    private final User bob = node.register();
    private final String token = ann.token();

    @Test
    void theyComeInTheOrderAskedForOnceEachAndWithoutThoseWhoDoNotExist() {
        Answer answer = node.get("/v1/users?ids=" + bob.id() + ",999999999," + ann.id() + "," + bob.id(), token)
                .with(200);

        assertThat(answer.json().valueStream().map(user -> user.path("id").asLong()))
                .containsExactly(bob.id(), ann.id());
        assertThat(answer.response().headers().firstValue("Age")).isEmpty();
    }

    @Test
    void theyLookAsTheyDoOneByOne() {
        String ids = ann.id() + "," + bob.id();

        for (String caller : new String[] {token, node.administrator().token()}) {
            JsonNode users = node.get("/v1/users?ids=" + ids, caller).with(200).json();

            assertThat(users.path(0).toString())
                    .isEqualTo(
                            node.get("/v1/users/" + ann.id(), caller).response().body());
            assertThat(users.path(1).toString())
                    .isEqualTo(
                            node.get("/v1/users/" + bob.id(), caller).response().body());
        }
        assertThat(node.get("/v1/users?ids=" + ids, token).response().body())
                .contains(ann.mobile())
                .doesNotContain(bob.mobile());
    }

    @Test
    void theMissingAreLoadedInOneQuery() {
        node.get("/v1/me", token).with(200);
        node.statements();

        node.get("/v1/users?ids=" + ids(1_000_000, 200), token).with(200);

        assertThat(node.statements()).hasSize(1);
    }

    @Test
    void twoHundredUsersCanBeAskedForAndARepeatedOneCountsOnce() {
        // Users that register later would be cached as absent.
        String most = ids(2_000_000, 200);

        node.get("/v1/users?ids=" + most, token).with(200);
        node.get("/v1/users?ids=" + most + "," + ids(2_000_000, 3), token).with(200);
        node.get("/v1/users?ids=" + most + ",2000200", token).problem(400, "invalid-field");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "?ids",
                "?ids=",
                "?ids=,",
                "?ids=1,,2",
                "?ids=0",
                "?ids=-1",
                "?ids=1,x",
                "?ids=1.5",
                "?ids=0x1f",
                "?ids=1,9223372036854775808",
                "?ids=%EF%BC%91",
                "?id=1"
            })
    void idsThatAreNoneAreNamed(String query) {
        Answer answer = node.get("/v1/users" + query, token).problem(400, "invalid-field");

        assertThat(answer.json().path("errors")).hasSize(1);
        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo("ids");
    }

    @ParameterizedTest
    @ValueSource(strings = {"?ids=%FF", "?ids=%C3%28", "?%FF=1", "?ids=1&%ff"})
    void aQueryThatIsNotUtf8IsRefused(String query) {
        node.get("/v1/users" + query, token).problem(400, "malformed-request");
    }

    @Test
    void aQueryThatIsNotUtf8IsRefusedAlsoWhereNoParameterIsRead() {
        node.get("/v1/me?%FF=1", token).problem(400, "malformed-request");
        node.post("/v1/login?a=%C3%28", "{}", null).problem(400, "malformed-request");
    }

    @Test
    void aQueryOfTooManyParametersIsRefused() {
        node.get("/v1/users?ids=1" + "&a".repeat(2000), token).problem(400, "malformed-request");
    }

    @Test
    void theyAreForUsersOnly() {
        node.get("/v1/users?ids=1", null).problem(401, "unauthenticated");
    }

    private static String ids(long first, int count) {
        return LongStream.range(first, first + count).mapToObj(Long::toString).collect(Collectors.joining(","));
    }
}
