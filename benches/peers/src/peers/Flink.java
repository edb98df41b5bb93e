package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.connector.file.src.reader.StreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.WindowedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * The workloads in Apache Flink: its library CEP for W1 to W5, its windows for W6 and W7.
 *
 * <p>Parallelism 1, state on the heap; with {@code rocksdb} in RocksDB with a checkpoint every second. Flink's {@code within} excludes its end and Leitmotif's
 * includes it: a millisecond is added.
 */
public final class Flink {
    private static final Duration TEN_MINUTES = Duration.ofMillis(600_001);

    private Flink() {}

    /** {@code WORKLOAD heap|rocksdb WARM-UP EVENTS ROWS PASSES FOLDER}: a pass over the file WARM-UP, then PASSES over EVENTS; prints seconds of each. */
    public static void main(String[] args) throws Exception {
        String workload = args[0];
        String state = args[1];
        Path rows = Path.of(args[4]);
        run(workload, state, args[2], rows, args[6]);
        for (int pass = 0; pass < Integer.parseInt(args[5]); pass++) {
            run(workload, state, args[3], rows, args[6]);
            System.out.println(Stopwatch.seconds());
        }
        System.exit(0);
    }

    private static void run(String workload, String state, String events, Path rows, String folder) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "disable");
        // On a busy machine the parts of Flink may take long to answer each other.
        configuration.set(RpcOptions.ASK_TIMEOUT_DURATION, Duration.ofMinutes(5));
        if (state.equals("rocksdb")) {
            configuration.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
            configuration.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
            configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Path.of(folder).toUri().toString());
            configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        }
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        flink.setParallelism(1);
        flink.getConfig().enableObjectReuse();
        DataStream<String> lines =
                switch (workload) {
                    case "W1" -> twoSteps(read(flink, events, Txn.class, Txn::read, txn -> txn.ts));
                    case "W2" -> declines(read(flink, events, Txn.class, Txn::read, txn -> txn.ts));
                    case "W3" -> rising(read(flink, events, Reading.class, Reading::read, reading -> reading.ts));
                    case "W4" -> silence(read(flink, events, Reading.class, Reading::read, reading -> reading.ts));
                    case "W5" -> combinations(read(flink, events, Trade.class, Trade::read, trade -> trade.ts));
                    case "W6" -> tumbling(read(flink, events, Reading.class, Reading::read, reading -> reading.ts));
                    case "W7" -> hopping(read(flink, events, Payment.class, Payment::read, payment -> payment.ts));
                    default -> throw new IllegalArgumentException(workload + " is none of W1 to W7");
                };
        lines.sinkTo(new Rows(rows.toString()));
        flink.execute(workload);
    }

    // The patterns.

    private static DataStream<String> twoSteps(DataStream<Txn> events) {
        Pattern<Txn, ?> pattern =
                Pattern.<Txn>begin("small", AfterMatchSkipStrategy.skipPastLastEvent())
                        .where(SimpleCondition.of(txn -> txn.kind.equals("auth") && txn.amount < 2))
                        .followedBy("large")
                        .where(SimpleCondition.of(txn -> txn.kind.equals("auth") && txn.amount > 800))
                        .within(TEN_MINUTES);
        return CEP.pattern(events.keyBy(txn -> txn.card), pattern).process(new PatternProcessFunction<>() {
            @Override
            public void processMatch(Map<String, List<Txn>> match, Context context, Collector<String> out) {
                Txn small = match.get("small").get(0);
                Txn large = match.get("large").get(0);
                Row row = new Row(small.card, small.ts, large.ts);
                out.collect(row.with("card", small.card).with("small", small.amount).with("large", large.amount).line());
            }
        });
    }

    private static DataStream<String> declines(DataStream<Txn> events) {
        Pattern<Txn, ?> pattern =
                Pattern.<Txn>begin("declines", AfterMatchSkipStrategy.skipPastLastEvent())
                        .where(SimpleCondition.of(txn -> txn.kind.equals("decline")))
                        .timesOrMore(3)
                        .greedy()
                        .followedBy("spent")
                        .where(SimpleCondition.of(txn -> txn.kind.equals("auth") && txn.amount > 500))
                        .within(TEN_MINUTES);
        return CEP.pattern(events.keyBy(txn -> txn.card), pattern).process(new PatternProcessFunction<>() {
            @Override
            public void processMatch(Map<String, List<Txn>> match, Context context, Collector<String> out) {
                List<Txn> declines = match.get("declines");
                Txn spent = match.get("spent").get(0);
                Row row = new Row(spent.card, declines.get(0).ts, spent.ts);
                out.collect(row.with("card", spent.card).with("declines", declines.size()).with("spent", spent.amount).line());
            }
        });
    }

    private static DataStream<String> rising(DataStream<Reading> events) {
        Pattern<Reading, ?> pattern =
                Pattern.<Reading>begin("rise", AfterMatchSkipStrategy.skipPastLastEvent())
                        .where(new IterativeCondition<>() {
                            @Override
                            public boolean filter(Reading reading, Context<Reading> match) throws Exception {
                                if (!reading.kind.equals("temp") || reading.value <= 85) {
                                    return false;
                                }
                                double last = 0;
                                for (Reading before : match.getEventsForPattern("rise")) {
                                    last = before.value;
                                }
                                return reading.value > last;
                            }
                        })
                        .oneOrMore()
                        .greedy()
                        .followedBy("shake")
                        .where(SimpleCondition.of(reading -> reading.kind.equals("vibration") && reading.value > 2.5))
                        .within(Duration.ofMillis(300_001));
        return CEP.pattern(events.keyBy(reading -> reading.device), pattern).process(new PatternProcessFunction<>() {
            @Override
            public void processMatch(Map<String, List<Reading>> match, Context context, Collector<String> out) {
                List<Reading> rise = match.get("rise");
                Reading shake = match.get("shake").get(0);
                Row row = new Row(shake.device, rise.get(0).ts, shake.ts).with("device", shake.device);
                out.collect(row.with("steps", rise.size()).with("peak", rise.get(rise.size() - 1).value).with("shake", shake.value).line());
            }
        });
    }

    private static DataStream<String> silence(DataStream<Reading> events) {
        Pattern<Reading, ?> pattern =
                Pattern.<Reading>begin("opened", AfterMatchSkipStrategy.skipPastLastEvent())
                        .where(SimpleCondition.of(reading -> reading.kind.equals("door") && reading.value == 1))
                        .notFollowedBy("cold")
                        .where(SimpleCondition.of(reading -> reading.kind.equals("temp") && reading.value < 60))
                        .within(Duration.ofMinutes(2));
        return CEP.pattern(events.keyBy(reading -> reading.device), pattern).process(new PatternProcessFunction<>() {
            @Override
            public void processMatch(Map<String, List<Reading>> match, Context context, Collector<String> out) {
                Reading opened = match.get("opened").get(0);
                out.collect(new Row(opened.device, opened.ts, opened.ts).with("device", opened.device).with("opened", opened.ts).line());
            }
        });
    }

    private static DataStream<String> combinations(DataStream<Trade> events) {
        Pattern<Trade, ?> pattern =
                Pattern.<Trade>begin("a", AfterMatchSkipStrategy.noSkip())
                        .where(SimpleCondition.of(trade -> trade.symbol.equals("S001") && trade.kind.equals("buy")))
                        .followedByAny("b")
                        .where(SimpleCondition.of(trade -> trade.symbol.equals("S002") && trade.volume > 500))
                        .followedByAny("c")
                        .where(SimpleCondition.of(trade -> trade.symbol.equals("S003") && trade.volume > 500))
                        .within(Duration.ofMillis(201));
        return CEP.pattern(events, pattern).process(new PatternProcessFunction<>() {
            @Override
            public void processMatch(Map<String, List<Trade>> match, Context context, Collector<String> out) {
                long a = match.get("a").get(0).ts;
                long c = match.get("c").get(0).ts;
                out.collect(new Row(null, a, c).with("a", a).with("b", match.get("b").get(0).ts).with("c", c).line());
            }
        });
    }

    // The windows.

    /** Number, sum and greatest value of a window so far. */
    public static final class Sums {
        public long count;
        public double total;
        public double peak = Double.NEGATIVE_INFINITY;
    }

    /** Adds one value of each event. */
    private static final class Adder<E> implements AggregateFunction<E, Sums, Sums> {
        private final Value<E> value;

        Adder(Value<E> value) {
            this.value = value;
        }

        @Override
        public Sums createAccumulator() {
            return new Sums();
        }

        @Override
        public Sums add(E event, Sums sums) {
            double value = this.value.of(event);
            sums.count++;
            sums.total += value;
            sums.peak = Math.max(sums.peak, value);
            return sums;
        }

        @Override
        public Sums getResult(Sums sums) {
            return sums;
        }

        @Override
        public Sums merge(Sums one, Sums other) {
            one.count += other.count;
            one.total += other.total;
            one.peak = Math.max(one.peak, other.peak);
            return one;
        }
    }

    private interface Value<E> extends Serializable {
        double of(E event);
    }

    /** Adds the values of a window to its row. */
    private interface Say extends Serializable {
        Row values(Row row, String key, Sums sums);
    }

    private static DataStream<String> tumbling(DataStream<Reading> events) {
        return sums(
                events.filter(reading -> reading.kind.equals("temp"))
                        .keyBy(reading -> reading.device)
                        .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1))),
                reading -> reading.value,
                (row, device, sums) -> row.with("device", device).with("readings", sums.count).with("total", sums.total).with("peak", sums.peak));
    }

    private static DataStream<String> hopping(DataStream<Payment> events) {
        return sums(
                events.keyBy(payment -> payment.card).window(SlidingEventTimeWindows.of(Duration.ofMinutes(5), Duration.ofSeconds(30))),
                payment -> payment.amount,
                (row, card, sums) -> row.with("card", card).with("spent", sums.total).with("payments", sums.count));
    }

    private static <E> DataStream<String> sums(WindowedStream<E, String, TimeWindow> windows, Value<E> value, Say say) {
        return windows.aggregate(new Adder<>(value), new ProcessWindowFunction<Sums, String, String, TimeWindow>() {
            @Override
            public void process(String key, Context context, Iterable<Sums> held, Collector<String> out) {
                Row row = new Row(key, context.window().getStart(), context.window().getEnd());
                out.collect(say.values(row, key, held.iterator().next()).line());
            }
        });
    }

    // In and out.

    private interface Decode<E> extends Serializable {
        E next(JsonParser json) throws IOException;
    }

    private interface Time<E> extends ToLongFunction<E>, Serializable {}

    private static <E> DataStream<E> read(StreamExecutionEnvironment flink, String file, Class<E> type, Decode<E> decode, Time<E> time) {
        FileSource<E> source = FileSource.forRecordStreamFormat(new Events<>(type, decode), new org.apache.flink.core.fs.Path(file)).build();
        WatermarkStrategy<E> order =
                WatermarkStrategy.<E>forBoundedOutOfOrderness(Duration.ofSeconds(2)).withTimestampAssigner((event, none) -> time.applyAsLong(event));
        return flink.fromSource(source, order, "events", TypeInformation.of(type));
    }

    /** Events of a file, decoded as they are read: in Flink's thread for reading, beside the one that matches. */
    private static final class Events<E> extends SimpleStreamFormat<E> {
        private final Class<E> type;
        private final Decode<E> decode;

        Events(Class<E> type, Decode<E> decode) {
            this.type = type;
            this.decode = decode;
        }

        @Override
        public StreamFormat.Reader<E> createReader(Configuration configuration, FSDataInputStream stream) throws IOException {
            JsonParser json = new JsonFactory().createParser(stream);
            Stopwatch.begin();
            return new StreamFormat.Reader<>() {
                @Override
                public E read() throws IOException {
                    return decode.next(json);
                }

                @Override
                public void close() throws IOException {
                    json.close();
                }
            };
        }

        @Override
        public TypeInformation<E> getProducedType() {
            return TypeInformation.of(type);
        }
    }

    /** A file of lines. */
    private static final class Rows implements Sink<String> {
        private final String file;

        Rows(String file) {
            this.file = file;
        }

        @Override
        public SinkWriter<String> createWriter(WriterInitContext context) throws IOException {
            BufferedWriter lines = Files.newBufferedWriter(Path.of(file), StandardCharsets.UTF_8);
            return new SinkWriter<>() {
                @Override
                public void write(String line, Context context) throws IOException {
                    lines.write(line);
                    lines.write('\n');
                }

                @Override
                public void flush(boolean endOfInput) throws IOException {
                    lines.flush();
                    if (endOfInput) {
                        Stopwatch.end();
                    }
                }

                @Override
                public void close() throws IOException {
                    lines.close();
                }
            };
        }
    }
}
