package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.LostNode;
import dev.usher.server.Node;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The receipts of bans. */
class ReceiptIT {

    @Test
    void aUserWithAConfirmedReceiptIsRefusedByEveryNode() {
        Node first = Pair.ONE;
        Node second = Pair.OTHER;
        for (int i = 0; i < 5; i++) {
            User ann = first.register();
            String token = ann.token();
            for (Node node : List.of(first, second)) {
                node.get("/v1/me", token).with(200);
                node.get("/v1/me", token).with(200);
            }

            Answer receipt = first.setStatus(ann.id(), "disabled").with(200);

            second.get("/v1/me", token).problem(403, "account-disabled");
            first.get("/v1/me", token).problem(403, "account-disabled");
            assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
            assertThat(names(receipt, "nodes_confirmed")).hasSize(2).isSorted();
            assertThat(names(receipt, "nodes_waited_out")).isEmpty();
            assertThat(names(receipt, "nodes_unheard")).isEmpty();
            assertThat(receipt.json().path("took_ms").asInt()).isBetween(0, 999);

            second.setStatus(ann.id(), "enabled").with(200);

            first.get("/v1/me", token).problem(401, "unauthenticated");
            first.get("/v1/me", ann.token()).with(200);
        }
    }

    @Test
    void whenRedisDoesNotAnswerTheChangeIsMadeAndNotConfirmed() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            String token = ann.token();
            node.get("/v1/me", token).with(200);
            fragile.redis().kill();

            Answer receipt = node.setStatus(ann.id(), "disabled").with(200);

            assertThat(receipt.text("status")).isEqualTo("disabled");
            assertThat(receipt.json().path("confirmed").asBoolean(true)).isFalse();
            assertThat(receipt.text("reason")).isEqualTo("no_redis");
            assertThat(receipt.json().has("redis_error")).isFalse();
            assertThat(names(receipt, "nodes_confirmed")).isEmpty();
            node.get("/v1/me", token).problem(403, "account-disabled");
        }
    }

    @Test
    void soManyReceiptsAreWaitedForAtATimeAndTheOthersAreAnsweredAtOnce() {
        int bans = 4;
        try (Fragile fragile = Fragile.whole();
                LostNode lost = new LostNode(fragile.keyPrefix(), fragile.redis())) {
            lost.fallSilent();
            Node node = fragile.node();
            List<User> users = Stream.generate(node::register).limit(bans).toList();
            List<String> tokens = users.stream().map(User::token).toList();
            String token = node.administrator().token();
            awaitKnown(node, token);
            AtomicInteger turn = new AtomicInteger();

            List<Answer> receipts = Together.run(
                    bans,
                    () -> node.send(
                                    "PUT",
                                    "/v1/admin/users/"
                                            + users.get(turn.getAndIncrement()).id() + "/status",
                                    Map.of("status", "disabled"),
                                    token)
                            .with(200));

            assertThat(receipts)
                    .filteredOn(receipt -> receipt.text("reason").equals("too_many_waiting"))
                    .hasSizeGreaterThanOrEqualTo(bans - Fragile.WAITING_RECEIPTS)
                    .allSatisfy(receipt -> {
                        assertThat(receipt.json().path("confirmed").asBoolean(true))
                                .isFalse();
                        assertThat(receipt.json().path("took_ms").asInt()).isLessThan(800);
                    });
            assertThat(receipts)
                    .filteredOn(receipt -> receipt.json().path("confirmed").asBoolean())
                    .isNotEmpty();
            tokens.forEach(banned -> node.get("/v1/me", banned).problem(403, "account-disabled"));
        }
    }

    @Test
    void usersWhoLogOutLeaveAReceiptToAnAdministrator() {
        int logouts = 4;
        try (Fragile fragile = Fragile.whole();
                LostNode lost = new LostNode(fragile.keyPrefix(), fragile.redis())) {
            lost.fallSilent();
            Node node = fragile.node();
            User ann = node.register();
            List<String> tokens = Stream.generate(() -> node.register().token())
                    .limit(logouts)
                    .toList();
            String admin = node.administrator().token();
            tokens.forEach(token -> awaitKnown(node, token));
            awaitKnown(node, admin);
            AtomicInteger turn = new AtomicInteger();

            List<Answer> answers = Together.run(logouts + 1, () -> {
                int own = turn.getAndIncrement();
                return own < logouts
                        ? node.post("/v1/logout", "", tokens.get(own)).with(204)
                        : node.setStatus(ann.id(), "disabled", admin).with(200);
            });

            assertThat(answers)
                    .filteredOn(answer -> answer.status() == 200)
                    .singleElement()
                    .satisfies(receipt -> assertThat(
                                    receipt.json().path("confirmed").asBoolean())
                            .as(receipt.response().body())
                            .isTrue());
            assertThat(answers)
                    .filteredOn(answer -> answer.response()
                            .headers()
                            .firstValue("Usher-Confirmed")
                            .equals(Optional.of("false")))
                    .hasSizeGreaterThanOrEqualTo(logouts - 1);
            tokens.forEach(ended -> node.get("/v1/me", ended).problem(401, "unauthenticated"));
        }
    }

    @Test
    void anUnknownUserHasNoReceipt() {
        Node.Shared.NODE.setStatus(999_999_999, "disabled").problem(404, "user-not-found");
    }

    /** Waits until the caller is let in without a query: this node lets two calls at most wait for the database. */
    private static void awaitKnown(Node node, String token) {
        await().until(() -> {
            var unused = node.statements();
            node.get("/v1/me", token).with(200);
            return node.statements().isEmpty();
        });
    }

    private static List<String> names(Answer receipt, String field) {
        JsonNode names = receipt.json().path(field);
        assertThat(names.isArray()).isTrue();
        return names.valueStream().map(JsonNode::asString).toList();
    }
}
