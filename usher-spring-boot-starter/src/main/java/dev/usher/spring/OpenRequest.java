package dev.usher.spring;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import org.jspecify.annotations.Nullable;

/**
 * An asynchronous request of a user, such as a stream of server-sent events. A response that has begun is completed. One that has
 * not is dispatched to the gate, which answers: only a thread of the container may write a response. What the application writes
 * meanwhile fails, as if its client had gone.
 */
final class OpenRequest implements Ending, AsyncListener {

    private final Passage<?> passage;
    private final AsyncContext request;
    private final EndableResponse response;
    private volatile UserConnections.@Nullable Registration registration;

    private OpenRequest(Passage<?> passage, AsyncContext request, EndableResponse response) {
        this.passage = passage;
        this.request = request;
        this.response = response;
    }

    /** Registers a request, on its own thread and before that has returned to the container: the request cannot end before. */
    static <K> void register(
            Passage<K> passage, AsyncContext request, EndableResponse response, UserConnections<K> connections) {
        OpenRequest open = new OpenRequest(passage, request, response);
        request.addListener(open);
        open.registration = connections.addPassed(passage, open);
    }

    @Override
    public void refuse(Refusal why) {
        passage.end(why);
        response.refuse();
    }

    @Override
    public void end(Refusal why) {
        response.end(this::completeOrDispatch);
    }

    private void completeOrDispatch() {
        try {
            if (response.isCommitted() || !passage.mayDispatch()) {
                request.complete();
            } else {
                request.dispatch();
            }
        } catch (IllegalStateException e) {
            // It has ended by itself, or is about to be dispatched: to the gate.
        }
    }

    @Override
    public void onComplete(AsyncEvent event) {
        close();
    }

    /** Started again within a dispatch, after which the gate registers it again. */
    @Override
    public void onStartAsync(AsyncEvent event) {
        close();
    }

    @Override
    public void onTimeout(AsyncEvent event) {}

    @Override
    public void onError(AsyncEvent event) {}

    private void close() {
        UserConnections.Registration ended = registration;
        if (ended != null) {
            ended.close();
        }
    }
}
