package dev.usher.server.user;

import dev.usher.UserProfile;
import java.time.Duration;
import org.springframework.http.HttpHeaders;

/**
 * A profile after its change, and whether the change is announced to the other nodes.
 *
 * @param profile as the database has it now
 * @param announcement the state of the announcement
 */
record ProfileChange(UserProfile profile, Announcement announcement) {

    /** The header with the seconds within which every node shows a change. */
    static final String VISIBLE_WITHIN = "Usher-Visible-Within";

    private static final String CACHE_STATUS = "Cache-Status";

    /** The state of the announcement of a change. */
    enum Announcement {
        /** Nothing was changed. */
        NONE,
        /** Redis has accepted it. */
        SENT,
        /** Redis has not accepted it yet; it is sent until Redis does. */
        PENDING
    }

    /** The headers of the answer that say so (RFC 9211). */
    HttpHeaders headers(Duration stalenessBound) {
        HttpHeaders headers = new HttpHeaders();
        switch (announcement) {
            case NONE -> {}
            case SENT -> {
                headers.set(CACHE_STATUS, "usher; fwd=method; detail=invalidated");
                headers.set(
                        VISIBLE_WITHIN,
                        Long.toString(stalenessBound.plusMillis(999).toSeconds()));
            }
            case PENDING -> headers.set(CACHE_STATUS, "usher; fwd=method; detail=invalidation-pending");
        }
        return headers;
    }
}
