package kusto

import (
	"fmt"
	"strings"
	"testing"
)

// measures is a table with null and empty values, in three groups.
const measures = `let M = datatable(Group:string, Name:string, N:long, R:real, B:bool, T:datetime, S:timespan, D:dynamic) [
	'a', 'one',   1, 1.5,        true,       datetime(2026-06-01), 1h,             dynamic({'x': 1, 'z': 9}),
	'a', 'two',   3, 2.5,        false,      datetime(2026-06-03), 3h,             dynamic({'x': 2, 'y': 3}),
	'a', 'two',   long(null), real(null), bool(null), datetime(null), timespan(null), dynamic(null),
	'b', '',      5, 0.5,        true,       datetime(2026-06-02), 2h,             dynamic([1, 2, 1]),
	'c', 'none',  long(null), real(null), bool(null), datetime(null), timespan(null), dynamic(null)
]; `

// https://learn.microsoft.com/en-us/kusto/query/aggregation-functions
func TestAggregates(t *testing.T) {
	checkTables(t, []example{
		{measures + "M | summarize avg(D), avg(tostring(D.x) == '')", "error: the function 'avg' does not take a value of type bool"},
		{measures + "M | summarize avg(D)", "avg_D;NaN"},
		{measures + "M | summarize count() by Group", "Group,count_;a,3;b,1;c,1"},
		{measures + "M | summarize count()", "count_;5"},
		{measures + "M | summarize n = count()", "n;5"},
		{measures + "M | summarize count(N)", "error: the function 'count' does not take 1 argument"},
		{measures + "M | summarize countif(N > 1) by Group", "Group,countif_;a,1;b,1;c,0"},
		{measures + "M | summarize countif(true)", "countif_;5"},
		{measures + "M | summarize countif(N)", "error: the function 'countif' does not take a condition of type long"},
		{measures + "M | summarize countif()", "error: the function 'countif' does not take 0 arguments"},
		{measures + "M | summarize dcount(Name), dcount(N, 4)", "dcount_Name,dcount_N;4,3"},
		{measures + "M | summarize dcountif(Name, N > 0) by Group", "Group,dcountif_Name;a,2;b,1;c,0"},
		{measures + "M | summarize dcountif(Name, N > 0, 2)", "dcountif_Name;3"},
		{measures + "M | summarize dcountif(Name)", "error: the function 'dcountif' does not take 1 argument"},
		{measures + "M | summarize count_distinct(Name), count_distinctif(Name, Group == 'a')", "count_distinct_Name,count_distinctif_Name;4,2"},
		{measures + "M | summarize count_distinct(Name, N)", "error: the function 'count_distinct' does not take 2 arguments"},
		{measures + "M | summarize sum(N), sum(R), sum(S)", "sum_N,sum_R,sum_S;9,4.5,06:00:00"},
		{measures + "M | summarize sum(N), sum(R), sum(S) by Group | where Group == 'c'", "Group,sum_N,sum_R,sum_S;c,0,0,00:00:00"},
		{measures + "M | summarize sum(toint(N)) | getschema | project ColumnType", "ColumnType;long"},
		{measures + "M | summarize sum(D.x)", "sum_D_x;3"},
		{measures + "M | summarize sum(Name)", "error: the function 'sum' does not take a value of type string"},
		{measures + "M | summarize sum(B)", "error: the function 'sum' does not take a value of type bool"},
		{measures + "M | summarize sum(T)", "error: the function 'sum' does not take a value of type datetime"},
		{measures + "M | summarize sum(toguid(Name))", "error: the function 'sum' does not take a value of type guid"},
		{measures + "M | summarize sum(N, 1)", "error: the function 'sum' does not take 2 arguments"},
		{measures + "M | summarize sumif(N, Group == 'a'), sumif(R, B)", "sumif_N,sumif_R;4,2"},
		{measures + "M | summarize sumif(Name, true)", "error: the function 'sumif' does not take a value of type string"},
		{measures + "M | summarize sumif(N)", "error: the function 'sumif' does not take 1 argument"},
		{measures + "M | summarize sumif(N, N)", "error: the function 'sumif' does not take a condition of type long"},
		{measures + "M | summarize avg(N), avg(R), avg(S), avg(T)", "avg_N,avg_R,avg_S,avg_T;3,1.5,02:00:00,2026-06-02T00:00:00.0000000Z"},
		{measures + "M | summarize avg(N), avg(S), avg(T), avg(D.x) by Group | where Group == 'c'", "Group,avg_N,avg_S,avg_T,avg_D_x;c,NaN,,,NaN"},
		{measures + "M | summarize avg(Name)", "error: the function 'avg' does not take a value of type string"},
		{measures + "M | summarize avgif(N, Group == 'a'), avgif(N, false)", "avgif_N,avgif_N1;2,NaN"},
		{measures + "M | summarize min(N), max(N), min(R), max(R)", "min_N,max_N,min_R,max_R;1,5,0.5,2.5"},
		{measures + "M | summarize min(Name), max(Name), min(T), max(S)", "min_Name,max_Name,min_T,max_S;,two,2026-06-01T00:00:00.0000000Z,03:00:00"},
		{measures + "M | summarize min(N), max(N) by Group | where Group == 'c'", "Group,min_N,max_N;c,,"},
		{measures + "M | summarize minif(N, N > 1), maxif(N, N < 5), maxif(N, false)", "minif_N,maxif_N,maxif_N1;3,3,"},
		{measures + "M | summarize stdev(N), variance(N)", "stdev_N,variance_N;2,4"},
		{measures + "M | summarize stdevif(N, Group == 'a'), varianceif(N, Group == 'a')", "stdevif_N,varianceif_N;1.4142135623730951,2"},
		{measures + "M | summarize stdev(N), variance(N) by Group | where Group != 'a'", "Group,stdev_N,variance_N;b,0,0;c,0,0"},
		{measures + "M | summarize stdev(T)", "error: the function 'stdev' does not take a value of type datetime"},
		{measures + "M | summarize variance(Name)", "error: the function 'variance' does not take a value of type string"},
		{measures + "M | summarize make_list(N), make_list(Name)", `list_N,list_Name;[1,3,5],["one","two","two","","none"]`},
		{measures + "M | summarize make_list(N, 2), makelist(Name, 0)", `list_N,list_Name;[1,3],[]`},
		{measures + "M | summarize make_list(N, 3), make_list(N, 4)", "list_N,list_N1;[1,3,5],[1,3,5]"},
		{measures + "M | summarize make_list(N) by Group | where Group == 'c'", "Group,list_N;c,[]"},
		{measures + "M | summarize make_list_if(Name, N > 1), make_list_if(Name, N > 0, 1)", `list_Name,list_Name1;["two",""],["one"]`},
		{measures + "M | summarize make_list(N, 1, 2)", "error: the function 'make_list' does not take 3 arguments"},
		{measures + "M | summarize make_set(Name), make_set(N)", `set_Name,set_N;["one","two","","none"],[1,3,5]`},
		{measures + "M | summarize make_set(Name, 2), makeset(N, 1)", `set_Name,set_N;["one","two"],[1]`},
		{measures + "M | summarize make_set(D) by Group | where Group != 'a'", "Group,set_D;b,[1,2];c,[]"},
		{measures + "M | summarize make_set_if(Name, N > 1), make_set_if(Name, N > 0, 1)", `set_Name,set_Name1;["two",""],["one"]`},
		{measures + "M | summarize make_bag(D)", `bag_D;{"x":1,"y":3,"z":9}`},
		{measures + "M | summarize make_bag(D, 2)", `bag_D;{"x":1,"z":9}`},
		{measures + "M | summarize make_bag(D, 0)", "bag_D;{}"},
		{measures + "M | summarize make_bag_if(D, N > 1), make_bag_if(D, N > 1, 1)", `bag_D,bag_D1;{"x":2,"y":3},{"x":2}`},
		{measures + "M | summarize percentile(N, 50), percentile(N, 0), percentile(N, 100)", "percentile_N_50,percentile_N_0,percentile_N_100;3,1,5"},
		{measures + "M | summarize percentiles(N, 33, 34, 66.6, 67)", "percentile_N_33,percentile_N_34,percentile_N_66_6,percentile_N_67;1,3,3,5"},
		{measures + "M | summarize percentile(S, 50), percentile(T, 99)", "percentile_S_50,percentile_T_99;02:00:00,2026-06-03T00:00:00.0000000Z"},
		{measures + "M | summarize percentile(N, 50) by Group | where Group == 'c'", "Group,percentile_N_50;c,"},
		{measures + "M | summarize p = percentile(toint(N), 50) | getschema | project ColumnType", "ColumnType;long"},
		{measures + "M | summarize percentile(N, N)", "error: the function 'percentile' takes numbers that are written out"},
		{measures + "M | summarize percentile(N, 'x')", "error: the function 'percentile' takes numbers that are written out"},
		{measures + "M | summarize percentile(N)", "error: the function 'percentile' does not take 1 argument"},
		{measures + "M | summarize percentile(N, 1, 2)", "error: the function 'percentile' does not take 3 arguments"},
		{measures + "M | summarize (low, high) = percentiles(N, 1, 99)", "low,high;1,5"},
		{measures + "M | summarize low = percentiles(N, 1, 99)", "low,percentile_N_99;1,5"},
	})
}

// TestNumbersOfArgumentsOfAggregates calls each function with as few and as many arguments as it takes, and with one more or less.
//
// https://learn.microsoft.com/en-us/kusto/query/aggregation-functions
func TestNumbersOfArgumentsOfAggregates(t *testing.T) {
	all := aggregates()
	for _, group := range []struct {
		least, most int
		names       string
	}{
		{0, 0, "count"},
		{1, 1, "countif count_distinct sum avg min max stdev variance"},
		{1, 2, "dcount make_set makeset make_list makelist make_bag"},
		{2, 2, "count_distinctif sumif avgif minif maxif stdevif varianceif percentile"},
		{2, 3, "dcountif make_set_if make_list_if make_bag_if"},
		{2, 9, "percentiles"},
	} {
		for name := range strings.FieldsSeq(group.names) {
			delete(all, name)
			for number := range 5 {
				query := fmt.Sprintf("print x = 1 | summarize %s(%s)", name, strings.TrimSuffix(strings.Repeat("x, ", number), ", "))
				refused := answer(query, noTables{}) == "error: "+wrongNumber(name, number).Error()
				if want := number < group.least || number > group.most; refused != want {
					t.Errorf("%s with %d arguments: got refused %t, want %t", name, number, refused, want)
				}
			}
		}
	}
	for _, name := range []string{"arg_max", "arg_min", "take_any", "any"} { // which have no limit
		delete(all, name)
	}
	for name := range all {
		t.Errorf("%s: got a function that has no number of arguments here", name)
	}
}

// https://learn.microsoft.com/en-us/kusto/query/arg-max-aggregation-function
// https://learn.microsoft.com/en-us/kusto/query/take-any-aggregation-function
func TestAggregatesThatChooseARow(t *testing.T) {
	checkTables(t, []example{
		{measures + "M | summarize arg_max(N, Name) by Group", "Group,N,Name;a,3,two;b,5,;c,,none"},
		{measures + "M | summarize arg_min(N, Name) by Group", "Group,N,Name;a,1,one;b,5,;c,,none"},
		{measures + "M | summarize arg_max(N, *) by Group | project-away T, S, D", "Group,N,Name,R,B;a,3,two,2.5,false;b,5,,0.5,true;c,,none,,"},
		{measures + "M | summarize arg_max(T, *) | project T, Group, Name", "T,Group,Name;2026-06-03T00:00:00.0000000Z,a,two"},
		{measures + "M | summarize arg_max(N, Name, R)", "N,Name,R;5,,0.5"},
		{measures + "M | summarize arg_max(N)", "N;5"},
		{measures + "M | summarize most = arg_max(N, Name)", "most,Name;5,"},
		{measures + "M | summarize (most, who) = arg_max(N, Name)", "most,who;5,"},
		{measures + "M | summarize (most, who, why) = arg_max(N, Name)", "error: there are more names than the function makes columns"},
		{measures + "M | summarize arg_max(N * 2, N + 1, Name)", "max_,max_max__arg1,Name;10,6,"},
		{measures + "M | summarize arg_max(N, N + 1)", "N,max_N_arg1;5,6"},
		{measures + "M | summarize arg_min(N, N + 1)", "N,min_N_arg1;1,2"},
		{measures + "M | where N > 99 | summarize arg_max(N, Name)", "N,Name;,"},
		{measures + "M | summarize arg_max()", "error: the function 'arg_max' lacks an argument"},
		{measures + "M | summarize arg_max(N Name)", `error: syntax error: expected "," but found "Name"`},
		{measures + "M | summarize strlen(arg_max(Name, N))", "error: a function that makes several columns is used where one value is expected"},
		{measures + "M | summarize arg_max(N, Name) + 1", "error: the operator '+' cannot be applied to values of types several columns and long"},
		{measures + "M | summarize arg_max(N, Name) == 1", "error: cannot compare values of types several columns and long; try adding explicit casts"},
		{measures + "M | summarize take_any(Name), take_any(N) by Group", "Group,Name,N;a,one,1;b,,5;c,none,"},
		{measures + "M | summarize take_any(N, Name) by Group", "Group,N,Name;a,1,one;b,5,;c,,none"},
		{"datatable(n:long, s:string)[1, '', 2, 'x', 3, 'y'] | summarize take_any(s)", "s;x"},
		{"datatable(n:long, s:string)[1, '', 2, 'x', 3, 'y'] | summarize take_any(s, n)", "s,n;x,2"},
		{"datatable(n:long, s:string)[long(null), 'x', 2, 'y'] | summarize take_any(n)", "n;2"},
		{"datatable(n:long, s:string)[1, 'x', 2, 'y'] | summarize take_any(*)", "n,s;1,x"},
		{"datatable(n:long, s:string)[1, 'x', 2, 'y'] | summarize take_any(*) by s", "s,n;x,1;y,2"},
		{"datatable(n:long, s:string)[1, 'x', 2, 'y'] | summarize any(n), any(s)", "any_n,any_s;1,x"},
		{"datatable(n:long, s:string)[1, 'x', 2, 'y'] | summarize any(n, s)", "any_n,any_s;1,x"},
		{"datatable(n:long, s:string)[1, 'x', 2, 'y'] | summarize any(*)", "any_n,any_s;1,x"},
		{"datatable(n:long, s:string)[1, 'x'] | summarize take_any(n + 1)", "any_arg0;2"},
		{"datatable(n:long, s:string)[1, 'x', 1, 'y', 0, 'z'] | summarize arg_max(n, s)", "n,s;1,x"},
		{"datatable(n:long, s:string)[1, 'x', 0, 'y', 0, 'z'] | summarize arg_min(n, s)", "n,s;0,y"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/summarize-operator
func TestSummarize(t *testing.T) {
	const empty = "datatable(x:long)[] "
	checkTables(t, []example{
		{`datatable(a:dynamic, b:dynamic)[dynamic(["x"]), dynamic(["y"]), dynamic(["x,y"]), dynamic([]), dynamic(["x"]), dynamic(["y"]), dynamic({"x": 1}), dynamic(null)] | summarize n = count() by a, b`, `a,b,n;["x"],["y"],2;["x,y"],[],1;{"x":1},,1`},
		{"print a = 1h, b = 2h | union (print a = 1h, b = 2h), (print a = 2h, b = 1h) | summarize n = count() by a, b", "a,b,n;01:00:00,02:00:00,2;02:00:00,01:00:00,1"},
		{"datatable(a:bool, b:bool)[true, false, false, true, true, false] | summarize n = count() by a, b", "a,b,n;true,false,2;false,true,1"},
		{"datatable(a:string, b:string)['0', '', '', '0', '0,', '', '1:0', '', '', '1:0'] | summarize n = count() by a, b | count", "Count;5"},
		{"datatable(a:long, b:string)[1, '', 11, '', 1, '1', long(null), '1'] | summarize n = count() by a, b | count", "Count;4"},
		{empty + "| summarize count(), countif(x > 0), dcount(x), dcountif(x, x > 0)", "count_,countif_,dcount_x,dcountif_x;0,0,0,0"},
		{empty + "| summarize make_set(x), make_list(x)", "set_x,list_x;[],[]"},
		{empty + "| summarize sum(x), sumif(x, x > 0), stdev(x), variance(x)", "sum_x,sumif_x,stdev_x,variance_x;0,0,0,0"},
		{empty + "| summarize avg(x), max(x), min(x), percentile(x, 55)", "avg_x,max_x,min_x,percentile_x_55;NaN,,,"},
		{empty + "| summarize arg_max(x, *), take_any(x)", "x,x1;,"},
		{empty + "| summarize count() by x", "x,count_"},
		{"range x from 1 to 4 step 1 | extend y = iff(x == 1, real(null), real(5)) | summarize sum(y), avg(y)", "sum_y,avg_y;15,5"},
		{"range x from 1 to 2 step 1 | extend y = iff(x == 1, real(null), real(5)) | summarize make_set(y), make_set(y)", "set_y,set_y1;[5],[5]"},
		{measures + "M | summarize by Group", "Group;a;b;c"},
		{measures + "M | summarize by Group, Kind = iff(N > 1, 'large', 'small')", "Group,Kind;a,small;a,large;b,large;c,small"},
		{measures + "M | summarize count() by N", "N,count_;1,1;3,1;,2;5,1"},
		{measures + "M | summarize count() by bin(T, 1d), B", "T,B,count_;2026-06-01T00:00:00.0000000Z,true,1;2026-06-03T00:00:00.0000000Z,false,1;,,2;2026-06-02T00:00:00.0000000Z,true,1"},
		{measures + "M | summarize max(N) - min(N), toupper(strcat(min(Group), '!'))", "Column1,Column2;4,A!"},
		{measures + "M | summarize round(avg(R), 1), iff(count() > 3, 'many', 'few')", "Column1,Column2;1.5,many"},
		{measures + "M | summarize max(strlen(Name) + N)", "max_;6"},
		{measures + "M | summarize n = count(), n = sum(N)", "n,n1;5,9"},
		{measures + "M | summarize Group = count() by Group", "Group,Group1;a,3;b,1;c,1"},
		{measures + "M | summarize hint.strategy=shuffle count() by hint.shufflekey=Group Group", "Group,count_;a,3;b,1;c,1"},
		{measures + "M | summarize hint.strategy", `error: syntax error: expected "=" but found the end of the query`},
		{measures + "M | summarize", "error: syntax error: unexpected end of the query"},
		{measures + "M | summarize by", "error: syntax error: unexpected end of the query"},
		{measures + "M | summarize N", "error: the column 'N' must be in an aggregate function or after 'by'"},
		{measures + "M | summarize count() by count()", "error: the aggregate function 'count' cannot be used here"},
		{measures + "M | summarize sum(max(N))", "error: the aggregate function 'max' cannot be used here"},
		{measures + "M | summarize nothing(N)", "error: the function 'nothing' is not supported by this simulated service"},
		{measures + "M | summarize count() | extend max(count_)", "error: the aggregate function 'max' cannot be used here"},
		{measures + "M | summarize tolong(5), n = 1 + 1", "Column1,n;5,2"},
		{measures + "let limit = 2; M | where N > limit | summarize n = limit + count()", "n;4"},
		{"datatable(a:string, b:string)['x', 'y', 'X', 'y', 'x', 'y'] | summarize n = count() by a, b", "a,b,n;x,y,2;X,y,1"},
		{"datatable(d:dynamic)[dynamic([1]), dynamic([1]), dynamic({'a': 1}), dynamic('x')] | summarize n = count() by tostring(d)", "d,n;[1],2;{\"a\":1},1;x,1"},
		{"datatable(r:real)[1, 1.0, 1.5, real(null)] | summarize n = count() by r", "r,n;1,2;1.5,1;,1"},
		{"print a = 1, b = 1.0, c = '1', d = true, e = 1h | summarize by a, b, c, d, e | count", "Count;1"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/window-functions
func TestFunctionsOfOtherRows(t *testing.T) {
	const rows = "let R = datatable(g:string, n:long)['a', 1, 'a', 2, 'b', long(null), 'b', 4, 'b', 5]; "
	checkTables(t, []example{
		{rows + "R | sort by n asc | extend m = n * 2 | extend p = prev(m) | project p", "p;;;2;4;8"},
		{rows + "R | sort by n asc | union R | extend prev(n)", "error: the function 'prev' needs rows in order; use sort or serialize first"},
		{rows + "R | sort by n asc | join kind=inner R on n | extend prev(n)", "error: the function 'prev' needs rows in order; use sort or serialize first"},
		{rows + "R | sort by n asc | project-rename m = n | project-reorder m | take 9 | extend p = prev(m) | project p", "p;;;1;2;4"},
		{rows + "R | extend p = prev(n)", "error: the function 'prev' needs rows in order; use sort or serialize first"},
		{rows + "R | serialize i = row_number() | project i", "i;1;2;3;4;5"},
		{rows + "R | serialize i = row_number(7) | project i", "i;7;8;9;10;11"},
		{rows + "R | serialize i = row_number(0) | project i", "i;0;1;2;3;4"},
		{rows + "R | serialize i = row_number(1, g != prev(g)) | project i", "i;1;2;1;2;3"},
		{rows + "R | serialize i = row_number(5, g != prev(g)) | project i", "i;5;6;5;6;7"},
		{rows + "R | serialize i = row_number(1, true) | project i", "i;1;1;1;1;1"},
		{rows + "R | serialize p = prev(n), q = prev(n, 2), r = prev(n, 2, 0) | project p, q, r", "p,q,r;,,0;1,,0;2,1,1;,2,2;4,,"},
		{rows + "R | serialize p = next(n), q = next(n, 2), r = next(n, 2, 0) | project p, q, r", "p,q,r;2,,;,4,4;4,5,5;5,,0;,,0"},
		{rows + "R | serialize p = prev(g), q = next(g, 1, '-') | project p, q", "p,q;,a;a,b;a,b;b,b;b,-"},
		{rows + "R | serialize p = prev(n, 0), q = prev(n, -1) | project p, q", "p,q;1,2;2,;,4;4,5;5,"},
		{rows + "R | serialize s = row_cumsum(n) | project s", "s;1;3;3;7;12"},
		{rows + "R | serialize s = row_cumsum(n, g != prev(g)) | project s", "s;1;3;;4;9"},
		{rows + "R | serialize s = row_cumsum(1.5) | project s", "s;1.5;3;4.5;6;7.5"},
		{rows + "R | serialize s = row_cumsum(n + prev(n, 1, 0)) | project s", "s;1;4;4;4;13"},
		{rows + "R | serialize | where row_cumsum(long(row_cumsum(n))) > 0", "error: long() takes a literal; use tolong"},
		{rows + "R | serialize | summarize arg_max(n, row_cumsum(n))", "error: the function 'row_cumsum' cannot be used in an aggregate"},
		{"range x from 1 to 50000 step 1 | extend s = row_cumsum(x), n = row_number(1, x == 2) | summarize max(s), max(n)", "max_s,max_n;1250025000,49999"},
		{rows + "R | extend row_number()", "error: the function 'row_number' needs rows in order; use sort or serialize first"},
		{rows + "R | sort by n asc | summarize by n | extend prev(n)", "error: the function 'prev' needs rows in order; use sort or serialize first"},
		{rows + "R | sort by n asc | distinct n | extend prev(n)", "error: the function 'prev' needs rows in order; use sort or serialize first"},
		{rows + "R | sort by n asc | where n > 1 | project n, p = prev(n)", "n,p;2,;4,2;5,4"},
		{rows + "R | sort by n asc | project-away g | project-keep n | extend p = prev(n) | take 3", "n,p;,;1,;2,1"},
		{rows + "R | top 2 by n | extend p = prev(n)", "g,n,p;b,5,;b,4,5"},
		{"range x from 1 to 2 step 1 | extend p = prev(x)", "x,p;1,;2,1"},
		{"print x = 1 | extend p = prev(x, 1, 9)", "x,p;1,9"},
		{rows + "R | serialize row_number('x')", "error: the function 'row_number' does not take a value of type string as argument 1"},
		{rows + "R | serialize row_number(1, 2, 3)", "error: the function 'row_number' does not take 3 arguments"},
		{rows + "R | serialize prev()", "error: the function 'prev' does not take 0 arguments"},
		{rows + "R | serialize row_cumsum(g)", "error: the function 'row_cumsum' does not take a value of type string as argument 1"},
	})
}
