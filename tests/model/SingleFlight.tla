---------------------------- MODULE SingleFlight ----------------------------
(* Single flight, a second time and independently of the Python model: one action is one call of AWS, or one event around
   it. Labels of `at` are the states of state_machines/single_flight.states.json. Not in here: handover, calls that land
   late, stale answers; the Python model has them. *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Requests,   \* executions with a request of their own whose callers do not wait
    Waiting,    \* executions with a request of their own whose callers wait
    Sweeps,     \* executions that the sweeper may start
    Attempts,   \* failed jobs after which an owner gives up
    Crashes, Redrives, Failures, Foreigners, Losses,  \* how many of each fault
    Variant     \* "right", or the name of a shortcut that is wrong

None == "none"
NoJob == 0
Asking == Requests \cup Waiting
Executions == Asking \cup Sweeps
JobIds == 1..5  \* as many as can be remembered at one time; a job that nobody remembers gives its number back

VARIABLES
    item,     \* requested, completed, givenUp, owner, job, covers
    mem,      \* what each execution remembers; `holds`: its fence is the item's; `saw`: the fence that it saw still is
    jobs,     \* the service's jobs
    truth,    \* tickets that complete jobs really cover
    own,      \* jobs that were started by us
    faults    \* what may still go wrong

vars == <<item, mem, jobs, truth, own, faults>>

Away == [at |-> "ended", up |-> FALSE, ticket |-> 0, snapshot |-> 0, job |-> NoJob, covers |-> 0, known |-> NoJob,
         seen |-> None, saw |-> FALSE, holds |-> FALSE, failures |-> 0]
Unused == [covers |-> 0, status |-> "unused", own |-> FALSE]

Init ==
    /\ item = [requested |-> 0, completed |-> 0, givenUp |-> 0, owner |-> None, job |-> NoJob, covers |-> 0]
    /\ mem = [e \in Executions |-> IF e \in Asking THEN [Away EXCEPT !.at = "Register", !.up = TRUE] ELSE Away]
    /\ jobs = [j \in JobIds |-> Unused]
    /\ truth = 0
    /\ own = 0
    /\ faults = [crashes |-> Crashes, redrives |-> Redrives, failures |-> Failures, foreigners |-> Foreigners,
                 losses |-> Losses]

Max(a, b) == IF a > b THEN a ELSE b
Busy == \E j \in JobIds : jobs[j].status = "RUNNING"
Remembered(j) == item.job = j \/ \E e \in Executions : mem[e].job = j \/ mem[e].known = j
Free == CHOOSE j \in JobIds : jobs[j].status = "unused" \/ (jobs[j].status # "RUNNING" /\ ~Remembered(j))

Owns(e) == item.owner = e /\ mem[e].holds
Spend(kind) == faults[kind] > 0 /\ faults' = [faults EXCEPT ![kind] = @ - 1]

(* What is forgotten on the way to a state keeps the number of states small. *)
At(m, state) ==
    [Away EXCEPT !.at = state, !.up = TRUE, !.ticket = m.ticket, !.failures = m.failures,
        !.holds = IF state \in {"Acquire", "ReadItem", "DescribeOwner", "TakeOver"} THEN FALSE ELSE m.holds,
        !.seen = IF state = "TakeOver" THEN m.seen ELSE None,
        !.saw = IF state = "TakeOver" THEN m.saw ELSE FALSE,
        !.snapshot = IF state \in {"RecordJob", "GetJob", "ForgetJob", "GiveUp"} THEN m.snapshot ELSE 0]
Go(e, state) == mem' = [mem EXCEPT ![e] = At(@, state)]
End(e) == mem' = [mem EXCEPT ![e] = Away]

(* A grant is a new fence: what anybody held or saw before is of the past. *)
Granted(e) ==
    mem' = [x \in Executions |-> IF x = e THEN [At(mem[e], "Snapshot") EXCEPT !.holds = TRUE]
                                 ELSE [mem[x] EXCEPT !.holds = FALSE, !.saw = FALSE]]
GrantedUnheard(e) ==
    mem' = [x \in Executions |-> [mem[x] EXCEPT !.holds = FALSE, !.saw = FALSE]]

(* A write takes effect, and its answer comes or is lost. *)
Answered(write, answer) == write /\ answer /\ UNCHANGED <<jobs, truth, own, faults>>
Unanswered(write) == write /\ Spend("losses") /\ UNCHANGED <<mem, jobs, truth, own>>
Refused(answer) == answer /\ UNCHANGED <<item, jobs, truth, own, faults>>

Register(e) ==
    LET write == item' = [item EXCEPT !.requested = @ + 1]
    IN \/ Answered(write, mem' = [mem EXCEPT ![e] = [At(@, "Acquire") EXCEPT !.ticket = item.requested + 1]])
       \/ Unanswered(write)

Acquire(e) ==
    IF item.requested > 0 /\ item.owner \in {None, e}
    THEN LET write == item' = [item EXCEPT !.owner = e]
         IN \/ Answered(write, Granted(e))
            \/ write /\ GrantedUnheard(e) /\ Spend("losses") /\ UNCHANGED <<jobs, truth, own>>
    ELSE Refused(Go(e, "ReadItem"))

ReadItem(e) ==
    Refused(
        IF item.requested = item.completed \/ (e \in Asking /\ item.completed >= mem[e].ticket)
           \/ (e \in Waiting /\ item.givenUp >= mem[e].ticket)
        THEN End(e)
        ELSE IF item.owner \in {None, e} THEN Go(e, "Acquire")
        ELSE mem' = [mem EXCEPT ![e] = [At(@, "DescribeOwner") EXCEPT !.seen = item.owner, !.saw = TRUE]])

DescribeOwner(e) ==
    Refused(
        IF mem[mem[e].seen].up THEN (IF e \in Waiting THEN Go(e, "ReadItem") ELSE End(e))
        ELSE IF Variant = "NeverTakesOver" THEN End(e) ELSE Go(e, "TakeOver"))

TakeOver(e) ==
    IF item.owner = mem[e].seen /\ (mem[e].saw \/ Variant = "TakesOverTheOwnersName")
    THEN LET write == item' = [item EXCEPT !.owner = e]
         IN \/ Answered(write, Granted(e))
            \/ write /\ GrantedUnheard(e) /\ Spend("losses") /\ UNCHANGED <<jobs, truth, own>>
    ELSE Refused(Go(e, "Acquire"))

Snapshot(e) ==
    Refused(
        IF ~Owns(e) THEN Go(e, "ReadItem")
        ELSE IF item.requested = item.completed THEN Go(e, "Release")
        ELSE IF item.job # NoJob
        THEN mem' = [mem EXCEPT ![e] = [At(@, "GetJob") EXCEPT
                !.snapshot = item.requested, !.job = item.job, !.covers = item.covers]]
        ELSE mem' = [mem EXCEPT ![e] = [At(@, "StartJob") EXCEPT !.snapshot = item.requested]])

Recording(e, j) ==
    mem' = [mem EXCEPT ![e] = [At(@, "RecordJob") EXCEPT !.job = j]]

StartJob(e) ==
    LET start == jobs' = [jobs EXCEPT ![Free] = [covers |-> item.requested, status |-> "RUNNING", own |-> TRUE]]
    IN \/ /\ mem[e].known # NoJob
          /\ Recording(e, mem[e].known)
          /\ UNCHANGED <<item, jobs, truth, own, faults>>
       \/ /\ mem[e].known = NoJob
          /\ Busy
          /\ Refused(IF Variant = "AdoptsTheRunningJob"
                     THEN Recording(e, CHOOSE j \in JobIds : jobs[j].status = "RUNNING")
                     ELSE Go(e, "Snapshot"))
       \/ /\ mem[e].known = NoJob
          /\ ~Busy
          /\ start
          /\ own' = own + 1
          /\ \/ Recording(e, Free) /\ UNCHANGED faults
             \/ mem' = [mem EXCEPT ![e].known = Free] /\ Spend("losses")
          /\ UNCHANGED <<item, truth>>

RecordJob(e) ==
    LET covers == IF Variant = "ReadsRequestedAfterTheStart" THEN item.requested ELSE mem[e].snapshot
        write == item' = [item EXCEPT !.job = mem[e].job, !.covers = covers]
    IN IF Owns(e)
       THEN \/ Answered(write, mem' = [mem EXCEPT ![e] = [At(@, "GetJob") EXCEPT !.job = mem[e].job, !.covers = covers]])
            \/ Unanswered(write)
       ELSE Refused(Go(e, "ReadItem"))

GetJob(e) ==
    /\ jobs[mem[e].job].status # "RUNNING"
    /\ Refused(
        IF jobs[mem[e].job].status = "COMPLETE" \/ Variant = "TakesFailedForTheEnd"
        THEN mem' = [mem EXCEPT ![e] = [At(@, "Mark") EXCEPT !.covers = mem[e].covers]]
        ELSE mem' = [mem EXCEPT ![e] = [At(@, "ForgetJob") EXCEPT !.failures = @ + 1]])

Mark(e) ==
    LET covers == IF Variant = "MarksWhatIsRequestedAtTheEnd" THEN item.requested ELSE mem[e].covers
        write == item' = [item EXCEPT !.completed = covers, !.job = NoJob, !.covers = 0]
    IN IF (Owns(e) /\ item.completed < mem[e].covers) \/ Variant = "MarksUnconditionally"
       THEN Answered(write, Go(e, "Release")) \/ Unanswered(write)
       ELSE Refused(Go(e, "Snapshot"))

Release(e) ==
    LET write == item' = [item EXCEPT !.owner = None]
    IN IF Owns(e) /\ (item.requested = item.completed \/ Variant = "ReleasesUnchecked")
       THEN Answered(write, End(e)) \/ Unanswered(write)
       ELSE Refused(Go(e, "Snapshot"))

ForgetJob(e) ==
    LET write == item' = [item EXCEPT !.job = NoJob, !.covers = 0]
    IN IF Owns(e)
       THEN \/ Answered(write, IF mem[e].failures >= Attempts \/ e \in Sweeps THEN Go(e, "GiveUp") ELSE Go(e, "Snapshot"))
            \/ Unanswered(write)
       ELSE Refused(Go(e, "ReadItem"))

GiveUp(e) ==
    LET write == item' = [item EXCEPT !.givenUp = mem[e].snapshot, !.owner = None]
    IN IF Owns(e) THEN Answered(write, End(e)) \/ Unanswered(write) ELSE Refused(End(e))

Call(e) ==
    /\ mem[e].up
    /\ CASE mem[e].at = "Register" -> Register(e)
         [] mem[e].at = "Acquire" -> Acquire(e)
         [] mem[e].at = "ReadItem" -> ReadItem(e)
         [] mem[e].at = "DescribeOwner" -> DescribeOwner(e)
         [] mem[e].at = "TakeOver" -> TakeOver(e)
         [] mem[e].at = "Snapshot" -> Snapshot(e)
         [] mem[e].at = "StartJob" -> StartJob(e)
         [] mem[e].at = "RecordJob" -> RecordJob(e)
         [] mem[e].at = "GetJob" -> GetJob(e)
         [] mem[e].at = "Mark" -> Mark(e)
         [] mem[e].at = "Release" -> Release(e)
         [] mem[e].at = "ForgetJob" -> ForgetJob(e)
         [] mem[e].at = "GiveUp" -> GiveUp(e)

Ends(status) ==
    \E j \in JobIds :
        /\ jobs[j].status = "RUNNING"
        /\ jobs' = [jobs EXCEPT ![j].status = status]
        /\ truth' = IF status = "COMPLETE" THEN Max(truth, jobs[j].covers) ELSE truth
        /\ UNCHANGED <<item, mem, own>>
Completes == Ends("COMPLETE") /\ UNCHANGED faults
Fails == Ends("FAILED") /\ Spend("failures")

SomebodyElseStarts ==
    /\ ~Busy
    /\ Spend("foreigners")
    /\ jobs' = [jobs EXCEPT ![Free] = [covers |-> item.requested, status |-> "RUNNING", own |-> FALSE]]
    /\ UNCHANGED <<item, mem, truth, own>>

Killed(e) ==
    /\ mem[e].up
    /\ Spend("crashes")
    /\ mem' = [mem EXCEPT ![e] = IF faults.redrives > 0 THEN [@ EXCEPT !.up = FALSE] ELSE Away]
    /\ UNCHANGED <<item, jobs, truth, own>>

Redriven(e) ==
    /\ ~mem[e].up
    /\ mem[e].at # "ended"
    /\ Spend("redrives")
    /\ mem' = [mem EXCEPT ![e].up = TRUE]
    /\ UNCHANGED <<item, jobs, truth, own>>

Named(e) == item.owner = e \/ \E x \in Executions : mem[x].seen = e
Sweep ==
    /\ Variant # "NoSweeper"
    /\ item.requested > item.completed
    /\ ~\E s \in Sweeps : mem[s].up
    /\ \E s \in Sweeps :
        /\ ~Named(s)
        /\ mem' = [mem EXCEPT ![s] = [Away EXCEPT !.at = "Acquire", !.up = TRUE]]
    /\ UNCHANGED <<item, jobs, truth, own, faults>>

Next ==
    \/ \E e \in Executions : Call(e) \/ Killed(e) \/ Redriven(e)
    \/ Completes \/ Fails \/ SomebodyElseStarts \/ Sweep

Spec == Init /\ [][Next]_vars
(* Once faults stop, whoever can go on does. *)
FairSpec == Spec /\ WF_vars(Completes) /\ WF_vars(Sweep) /\ \A e \in Executions : WF_vars(Call(e))

S1 == item.completed <= truth
S2 == item.completed <= item.requested /\ item.givenUp <= item.requested
S2Forward == [][item'.completed >= item.completed /\ item'.givenUp >= item.givenUp]_item
S3 == own <= item.requested + (Crashes - faults.crashes) + (Failures - faults.failures) + (Losses - faults.losses)
S4 == /\ Cardinality({e \in Executions : mem[e].up /\ mem[e].holds}) <= 1
      /\ Cardinality({j \in JobIds : jobs[j].own /\ jobs[j].status = "RUNNING"}) <= 1

Good == /\ item.completed = item.requested
        /\ \A e \in Executions : ~mem[e].up
L1 == <>[]Good

Symmetry == Permutations(Requests) \cup Permutations(Waiting) \cup Permutations(Sweeps)
=============================================================================
