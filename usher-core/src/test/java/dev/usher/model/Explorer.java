package dev.usher.model;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Goes through all states of a model, breadth first.
 *
 * @param <S> a state
 * @param <P> what must not happen
 */
public final class Explorer<S, P extends Enum<P>> {

    private final Model<S, P> model;
    private final VisitedStates visited = new VisitedStates();
    private final Packer packer = new Packer();
    private final Deque<S> frontier = new ArrayDeque<>();
    private final Map<P, List<String>> broken;

    private Explorer(Model<S, P> model, Class<P> properties) {
        this.model = model;
        this.broken = new EnumMap<>(properties);
    }

    /**
     * What an exploration has found.
     *
     * @param states how many states were reached
     * @param isComplete whether these are all
     * @param broken the steps to a state in which something has happened that must not
     */
    public record Finding<P>(int states, boolean isComplete, Map<P, List<String>> broken) {}

    /**
     * Explores until everything that is looked for has happened, or no new state is left.
     *
     * @param lookedFor what is expected to happen: nothing, for an exploration of all states
     */
    public static <S, P extends Enum<P>> Finding<P> explore(Model<S, P> model, Class<P> properties, Set<P> lookedFor) {
        return new Explorer<>(model, properties).run(lookedFor);
    }

    private Finding<P> run(Set<P> lookedFor) {
        reach(model.first(), -1);
        for (int state = 0; !frontier.isEmpty(); state++) {
            S from = frontier.remove();
            for (P property : model.brokenIn(from)) {
                if (!broken.containsKey(property)) {
                    broken.put(property, storyOf(state));
                }
            }
            if (!lookedFor.isEmpty() && broken.keySet().containsAll(lookedFor)) {
                return new Finding<>(visited.size(), false, broken);
            }
            int parent = state;
            model.stepsFrom(from, (next, words) -> reach(next, parent));
        }
        return new Finding<>(visited.size(), true, broken);
    }

    private void reach(S state, int parent) {
        packer.reset();
        model.write(state, packer);
        if (visited.add(packer, parent)) {
            frontier.add(state);
        }
    }

    /** Only states are remembered, and so the steps between them are looked for once more. */
    private List<String> storyOf(int end) {
        List<String> story = new ArrayList<>();
        Deque<Integer> path = visited.pathTo(end);
        path.removeFirst();
        S from = model.first();
        for (int state : path) {
            List<S> found = new ArrayList<>();
            model.stepsFrom(from, (next, words) -> {
                packer.reset();
                model.write(next, packer);
                if (found.isEmpty() && visited.isAt(state, packer)) {
                    found.add(next);
                    story.add(Stream.of(words).map(String::valueOf).collect(Collectors.joining(" ")));
                }
            });
            from = found.get(0);
        }
        return story;
    }
}
