package peers;

import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.EventBean;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import com.espertech.esper.runtime.client.EPStatement;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.BufferedWriter;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.ToLongFunction;

/**
 * The workloads in Esper: match_recognize for W1 to W3, patterns for W4 and W5, contexts that begin and end by time for W6 and W7.
 *
 * <p>Esper takes events in order of time: a queue of two seconds before it brings them there. Its clock is set to the time of each event before the event is
 * sent, and its intervals exclude their end where Leitmotif's include it: a millisecond is added.
 */
public final class Esper {
    private static final long DELAY_MS = 2_000;
    private static final long HOP_MS = 30_000;
    private static final long MINUTE_MS = 60_000;

    private Esper() {}

    /** {@code WORKLOAD WARM-UP EVENTS ROWS PASSES}: a pass over the file WARM-UP, then PASSES over EVENTS; prints seconds of each. */
    public static void main(String[] args) throws Exception {
        Path rows = Path.of(args[3]);
        run(args[0], args[1], rows);
        for (int pass = 0; pass < Integer.parseInt(args[4]); pass++) {
            run(args[0], args[2], rows);
            System.out.println(Stopwatch.seconds());
        }
    }

    private static void run(String workload, String events, Path rows) throws Exception {
        switch (workload) {
            case "W1" -> new Pass<>("Txn", Txn.class, Txn::read, txn -> txn.ts, TWO_STEPS, Esper::twoSteps).over(events, rows);
            case "W2" -> new Pass<>("Txn", Txn.class, Txn::read, txn -> txn.ts, DECLINES, Esper::declines).over(events, rows);
            case "W3" -> new Pass<>("Reading", Reading.class, Reading::read, reading -> reading.ts, RISING, Esper::rising).over(events, rows);
            case "W4" -> new Pass<>("Reading", Reading.class, Reading::read, reading -> reading.ts, SILENCE, Esper::silence).over(events, rows);
            case "W5" -> new Pass<>("Trade", Trade.class, Trade::read, trade -> trade.ts, COMBINATIONS, Esper::combinations).over(events, rows);
            case "W6" -> new Pass<>("Reading", Reading.class, Reading::read, reading -> reading.ts, TUMBLING, Esper::tumbling).over(events, rows);
            case "W7" -> new Pass<>("Payment", Payment.class, Payment::read, payment -> payment.ts, HOPPING, Esper::hopping).over(events, rows);
            default -> throw new IllegalArgumentException(workload + " is none of W1 to W7");
        }
    }

    // The patterns.

    private static final String TWO_STEPS =
            """
            select * from Txn(kind='auth' and (amount < 2 or amount > 800)) match_recognize (
              partition by card
              measures a as small, l as large
              pattern (a x* l)
              define
                a as a.amount < 2,
                x as x.amount < 2 and x.ts - a.ts <= 600000,
                l as l.amount > 800 and l.ts - a.ts <= 600000
            )""";

    private static String twoSteps(EventBean match, long now) {
        Txn small = (Txn) match.get("small");
        Txn large = (Txn) match.get("large");
        Row row = new Row(small.card, small.ts, large.ts);
        return row.with("card", small.card).with("small", small.amount).with("large", large.amount).line();
    }

    private static final String DECLINES =
            """
            select * from Txn(kind='decline' or (kind='auth' and amount > 500)) match_recognize (
              partition by card
              measures a as opening, c as further, s as spent
              pattern (a x* b y* c+ s)
              define
                a as a.kind='decline',
                x as x.kind='auth',
                b as b.kind='decline' and b.ts - a.ts <= 600000,
                y as y.kind='auth',
                c as c.kind='decline' and c.ts - a.ts <= 600000,
                s as s.kind='auth' and s.ts - a.ts <= 600000
            )""";

    private static String declines(EventBean match, long now) {
        Txn first = (Txn) match.get("opening");
        Txn spent = (Txn) match.get("spent");
        Row row = new Row(spent.card, first.ts, spent.ts);
        return row.with("card", spent.card).with("declines", 2 + ((Object[]) match.get("further")).length).with("spent", spent.amount).line();
    }

    // A variable that is repeated means, within its own condition, what it held and the event that is looked at.
    private static final String RISING =
            """
            select * from Reading((kind='temp' and value > 85) or (kind='vibration' and value > 2.5)) match_recognize (
              partition by device
              measures f as opening, r as further, s as shake
              pattern (f x* (r x*)* s)
              define
                f as f.kind='temp',
                r as r.kind='temp' and r.value > (case when r.countOf() = 1 then f.value else r.takeLast(2).firstOf().value end)
                  and r.ts - f.ts <= 300000,
                x as x.kind='temp' and x.value <= coalesce(r.lastOf().value, f.value) and x.ts - f.ts <= 300000,
                s as s.kind='vibration' and s.ts - f.ts <= 300000
            )""";

    private static String rising(EventBean match, long now) {
        Reading first = (Reading) match.get("opening");
        Object[] further = (Object[]) match.get("further");
        Reading shake = (Reading) match.get("shake");
        int steps = further == null ? 1 : 1 + further.length;
        double peak = steps == 1 ? first.value : ((Reading) further[steps - 2]).value;
        Row row = new Row(shake.device, first.ts, shake.ts).with("device", shake.device);
        return row.with("steps", steps).with("peak", peak).with("shake", shake.value).line();
    }

    private static final String SILENCE =
            """
            select opened from pattern [
              every opened=Reading(kind='door', value = 1)
                -> (timer:interval(2 minutes) and not Reading(kind='temp', value < 60, device = opened.device))
            ]""";

    private static String silence(EventBean match, long now) {
        Reading opened = (Reading) match.get("opened");
        return new Row(opened.device, opened.ts, opened.ts).with("device", opened.device).with("opened", opened.ts).line();
    }

    private static final String COMBINATIONS =
            """
            select a, b, c from pattern [
              every a=Trade(symbol='S001', kind='buy')
                -> (every b=Trade(symbol='S002', volume > 500) -> every c=Trade(symbol='S003', volume > 500)) where timer:within(201 milliseconds)
            ]""";

    private static String combinations(EventBean match, long now) {
        long a = ((Trade) match.get("a")).ts;
        long b = ((Trade) match.get("b")).ts;
        long c = ((Trade) match.get("c")).ts;
        return new Row(null, a, c).with("a", a).with("b", b).with("c", c).line();
    }

    // The windows.

    private static final String TUMBLING =
            """
            create context EachMinute start @now end after 1 minute;
            context EachMinute select device, count(*) as readings, sum(value) as total, max(value) as peak
            from Reading(kind='temp') group by device output snapshot when terminated""";

    private static String tumbling(EventBean window, long now) {
        String device = (String) window.get("device");
        Row row = new Row(device, now - MINUTE_MS, now).with("device", device).with("readings", (Long) window.get("readings"));
        return row.with("total", (Double) window.get("total")).with("peak", (Double) window.get("peak")).line();
    }

    private static final String HOPPING =
            """
            create context Hops initiated @now and pattern [every timer:interval(30 seconds)] terminated after 5 minutes;
            context Hops select card, sum(amount) as spent, count(*) as payments
            from Payment group by card output snapshot when terminated""";

    private static String hopping(EventBean window, long now) {
        String card = (String) window.get("card");
        Row row = new Row(card, now - 10 * HOP_MS, now).with("card", card);
        return row.with("spent", (Double) window.get("spent")).with("payments", (Long) window.get("payments")).line();
    }

    // In and out.

    private interface Decode<E> {
        E next(JsonParser json) throws IOException;
    }

    /** A match at the time of Esper's clock, as a line. */
    private interface Say {
        String line(EventBean match, long now);
    }

    /** One reading of a file with an engine of its own. */
    private record Pass<E>(String name, Class<E> type, Decode<E> decode, ToLongFunction<E> time, String epl, Say say) {
        void over(String events, Path rows) throws Exception {
            Configuration configuration = new Configuration();
            configuration.getCommon().addEventType(name, type);
            configuration.getRuntime().getThreading().setInternalTimerEnabled(false);
            EPCompiled compiled = EPCompilerProvider.getCompiler().compile(epl, new CompilerArguments(configuration));
            EPRuntime runtime = EPRuntimeProvider.getRuntime("bench", configuration);
            runtime.initialize();
            EPEventService engine = runtime.getEventService();
            try (JsonParser json = new JsonFactory().createParser(new FileInputStream(events));
                    BufferedWriter lines = Files.newBufferedWriter(rows, StandardCharsets.UTF_8)) {
                Stopwatch.begin();
                PriorityQueue<E> waiting = new PriorityQueue<>(Comparator.comparingLong(time));
                long newest = Long.MIN_VALUE;
                boolean deployed = false;
                for (E event = decode.next(json); event != null; event = decode.next(json)) {
                    newest = Math.max(newest, time.applyAsLong(event));
                    waiting.add(event);
                    while (time.applyAsLong(waiting.peek()) <= newest - DELAY_MS) {
                        deployed = deployed || deploy(runtime, compiled, time.applyAsLong(waiting.peek()), lines);
                        send(engine, waiting.remove());
                    }
                }
                while (!waiting.isEmpty()) {
                    deployed = deployed || deploy(runtime, compiled, time.applyAsLong(waiting.peek()), lines);
                    send(engine, waiting.remove());
                }
                // Whatever waits for time to pass ends within ten minutes.
                for (long left = 10 * MINUTE_MS; left > 0; left -= HOP_MS) {
                    engine.advanceTime((engine.getCurrentTime() / HOP_MS + 1) * HOP_MS);
                }
                lines.flush();
                Stopwatch.end();
            }
            runtime.destroy();
        }

        /** Begins at a whole minute, so that windows lie where they should, and five before the first event, where the first window that holds it begins. */
        private boolean deploy(EPRuntime runtime, EPCompiled compiled, long first, BufferedWriter lines) {
            EPEventService engine = runtime.getEventService();
            long start = first / MINUTE_MS * MINUTE_MS;
            engine.advanceTime(start - 10 * HOP_MS);
            EPStatement[] statements;
            try {
                statements = runtime.getDeploymentService().deploy(compiled).getStatements();
            } catch (Exception wrong) {
                throw new IllegalStateException(wrong);
            }
            statements[statements.length - 1].addListener((matches, gone, statement, from) -> {
                if (matches == null) {
                    return;
                }
                for (EventBean match : matches) {
                    try {
                        lines.write(say.line(match, engine.getCurrentTime()));
                        lines.write('\n');
                    } catch (IOException wrong) {
                        throw new java.io.UncheckedIOException(wrong);
                    }
                }
            });
            while (engine.getCurrentTime() < start) {
                engine.advanceTime(engine.getCurrentTime() + HOP_MS);
            }
            return true;
        }

        private void send(EPEventService engine, E event) {
            engine.advanceTime(time.applyAsLong(event));
            engine.sendEventBean(event, name);
        }
    }
}
