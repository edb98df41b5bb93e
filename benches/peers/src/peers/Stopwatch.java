package peers;

/** Times one pass of an engine: from before the first event is read until the last row is in its file. Both happen in threads of the engine. */
final class Stopwatch {
    private static volatile long began;
    private static volatile long ended;

    private Stopwatch() {}

    static void begin() {
        ended = 0;
        began = System.nanoTime();
    }

    static void end() {
        ended = System.nanoTime();
    }

    static double seconds() {
        if (ended == 0) {
            throw new IllegalStateException("a pass has not come to its end");
        }
        return (ended - began) / 1e9;
    }
}
