package kusto

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const fruit = `let F = datatable(Name:string, Color:string, Price:real, Count:long) [
	'apple', 'red', 1.5, 3, 'banana', 'yellow', 0.5, 12, 'cherry', 'red', 4.0, long(null), 'damson', '', real(null), 7
]; `

// https://learn.microsoft.com/en-us/kusto/query/tabular-operators
func TestOperatorsOnRows(t *testing.T) {
	checkTables(t, []example{
		{fruit + "F | distinct hint.x Color", `error: syntax error: expected "=" but found "Color"`},
		{fruit + "F | sort hint.x by Name", `error: syntax error: expected "=" but found "by"`},
		{fruit + "F | as hint.x G", `error: syntax error: expected "=" but found "G"`},
		{fruit + "F | join hint.x F on Name", `error: syntax error: expected "=" but found "F"`},
		{fruit + "F | union hint.x F", `error: syntax error: expected "=" but found "F"`},
		{fruit + "F | evaluate hint.x pivot(Name)", `error: syntax error: expected "=" but found "pivot"`},
		{fruit + "F | search hint.x 'a'", `error: syntax error: expected "=" but found "'a'"`},
		{fruit + "F | parse hint.x Name with a", `error: syntax error: expected "=" but found "Name"`},
		{fruit + "F | mv-expand hint.x Name", `error: syntax error: expected "=" but found "Name"`},
		{fruit + "F | mv-apply hint.x Name on (count)", `error: syntax error: expected "=" but found "Name"`},
		{fruit + "F | make-series hint.x count() on Price", `error: syntax error: expected "=" but found "count"`},
		{fruit + "F | summarize count() by hint.x Name", `error: syntax error: expected "=" but found "Name"`},
		{fruit + "F | where Price > 1 | project Name", "Name;apple;cherry"},
		{fruit + "F | filter Color == 'red' and Price < 2 | project Name", "Name;apple"},
		{fruit + "F | where isnull(Price) or isnull(Count) | project Name", "Name;cherry;damson"},
		{fruit + "F | where parse_json('true') | count", "Count;4"},
		{fruit + "F | where Name", "error: the condition of where has the type string, not bool"},
		{fruit + "F | where Price", "error: the condition of where has the type real, not bool"},
		{fruit + "F | where", "error: syntax error: unexpected end of the query"},
		{fruit + "F | where Missing == 1", "error: failed to resolve scalar expression named 'Missing'"},
		{fruit + "F | where Name == 'apple' Color", `error: syntax error: unexpected "Color"`},
		{fruit + "F | count", "Count;4"},
		{fruit + "F | count as n", "n;4"},
		{fruit + "F | count as", "error: syntax error: unexpected end of the query"},
		{fruit + "F | take 2 | project Name", "Name;apple;banana"},
		{fruit + "F | limit 9 | count", "Count;4"},
		{fruit + "F | take 0", "Name,Color,Price,Count"},
		{fruit + "F | sample 1 | count", "Count;1"},
		{fruit + "let n = 1; F | take n + 1 | count", "Count;2"},
		{fruit + "F | take -1", "error: the number of rows must be a whole number that is not negative"},
		{fruit + "F | take 1.5", "error: the number of rows must be a whole number that is not negative"},
		{fruit + "F | take Count", "error: failed to resolve scalar expression named 'Count'"},
		{fruit + "F | take", "error: syntax error: unexpected end of the query"},
		{fruit + "F | distinct Color", "Color;red;yellow;"},
		{fruit + "F | distinct Color, Long = strlen(Name) > 5", "Color,Long;red,false;yellow,true;red,true;,true"},
		{fruit + "F | distinct * | count", "Count;4"},
		{fruit + "F | union F | distinct * | count", "Count;4"},
		{fruit + "F | distinct toupper(Color) | take 1", "Column1;RED"},
		{fruit + "F | distinct", "error: syntax error: unexpected end of the query"},
		{fruit + "F | distinct hint.strategy=shuffle Color | count", "Count;3"},
		{fruit + "F | as G | where Price > 1 | union G | count", "Count;6"},
		{fruit + "F | as hint.materialized=true G | count", "Count;4"},
		{fruit + "F | as 1", `error: syntax error: unexpected "1"`},
		{fruit + "F | render piechart | count", "Count;4"},
		{fruit + "F | render barchart with (kind=stacked, title='a (b)') | count", "Count;4"},
		{fruit + "F | render barchart with (kind=stacked", "error: syntax error: unexpected \"(\""},
		{fruit + "F | render", "error: syntax error: unexpected end of the query"},
		{fruit + "F | getschema", "ColumnName,ColumnOrdinal,DataType,ColumnType;Name,0,System.String,string;Color,1,System.String,string;Price,2,System.Double,real;Count,3,System.Int64,long"},
		{
			"print a = 1h, b = now(), c = dynamic(1), d = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), e = int(1), f = true | getschema | project DataType",
			"DataType;System.TimeSpan;System.DateTime;System.Object;System.Guid;System.Int32;System.SByte",
		},
		{fruit + "F | serialize | extend n = row_number() | where n == 2 | project Name", "Name;banana"},
		{fruit + "F | serialize n = row_number(), m = 2 | project n, m | take 1", "n,m;1,2"},
		{fruit + "F | serialize ['row number'] = row_number() | project ['row number'] | take 1", "row number;1"},
		{fruit + "F |", "error: syntax error: '' is not an operator"},
		{fruit + "F | | count", "error: syntax error: '|' is not an operator"},
		{fruit + "F | project -away Name", "error: failed to resolve scalar expression named 'away'"},
		{fruit + "F | frobnicate", "error: syntax error: 'frobnicate' is not an operator"},
		{fruit + "F | top-nested 2 of Name by count()", "error: the operator 'top-nested' is not supported by this simulated service"},
		{fruit + "F | range x from 1 to 2 step 1", "error: the operator 'range' is not supported by this simulated service"},
		{fruit + "F count", `error: syntax error: unexpected "count"`},
		{fruit + "F | count; F | count", `error: syntax error: unexpected "F"`},
		{fruit + "F | count;;", "Count;4"},
		{";; print 1", "print_0;1"},
		{"", "error: the query is empty"},
		{" // nothing", "error: the query is empty"},
		{"let x = 1;", "error: the query is empty"},
		{"let x = 1", "error: the query has no tabular expression after its let statements"},
		{"Nothing", "error: failed to resolve table or column expression named 'Nothing'"},
		{"Nothing()", "error: the function 'Nothing' is not supported by this simulated service"},
		{"strlen('x')", "error: the function 'strlen' returns a value where a table is expected"},
		{"5", `error: syntax error: unexpected "5"`},
		{"['Ledger'] | count", "Count;5"},
		{"table('Ledger') | count", "Count;5"},
		{"table(Ledger)", "error: table() takes the name of a table"},
		{"table('Ledger'", `error: syntax error: expected ")" but found the end of the query`},
		{"(Ledger | take 1) | count", "Count;1"},
		{"((Ledger | take 1) | count)", "Count;1"},
		{"(Ledger | take 1", `error: syntax error: expected ")" but found the end of the query`},
		{"materialize(Ledger) | count", "Count;5"},
		{"set querytrace; Ledger", "error: the statement 'set' is not supported by this simulated service"},
		{"declare query_parameters(x:long); Ledger", "error: the statement 'declare' is not supported by this simulated service"},
		{"alias database d = x; Ledger", "error: the statement 'alias' is not supported by this simulated service"},
		{"restrict access to (Ledger); Ledger", "error: the statement 'restrict' is not supported by this simulated service"},
		{"externaldata(x:string)['https://example.com/a.csv']", "error: the operator 'externaldata' is not supported by this simulated service"},
		{"external_data(x:string)['https://example.com/a.csv']", "error: the operator 'external_data' is not supported by this simulated service"},
		{"let x = externaldata(x:string)['https://example.com/a.csv']; x", "error: the operator 'externaldata' is not supported by this simulated service"},
		{"Ledger | join (externaldata(x:string)['https://example.com/a.csv']) on x", "error: the operator 'externaldata' is not supported by this simulated service"},
		{"evaluate narrow()", "error: the operator 'evaluate' is not supported by this simulated service"},
		{"find in (Ledger) where Amount > 5", "error: the operator 'find' is not supported by this simulated service"},
		{"let s = find in (Ledger) where Amount > 5; s", "error: the operator 'find' is not supported by this simulated service"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/project-operator
func TestOperatorsOnColumns(t *testing.T) {
	checkTables(t, []example{
		{"print ['a b'] = 1 | where (['a b'] == 1) and ((['a b']) > 0) | count", "Count;1"},
		{"print [1] = 2", `error: syntax error: unexpected "["`},
		{"print ['a'", `error: syntax error: unexpected "["`},
		{fruit + "F | project (a, 1) = Name", `error: syntax error: unexpected "1"`},
		{fruit + "F | project (a, b) = nothing", "error: failed to resolve scalar expression named 'nothing'"},
		{fruit + "F | project Name, Total = Price * Count, Price | take 1", "Name,Total,Price;apple,4.5,1.5"},
		{fruit + "F | project Name, Name, strlen(Name), Price + 1 | take 1", "Name,Name1,Column1,Column2;apple,apple,5,2.5"},
		{fruit + "F | project Column1 = Name, strlen(Name), Price + 1 | take 1", "Column1,Column2,Column3;apple,5,2.5"},
		{fruit + "F | project ['the name'] = Name | take 1", "the name;apple"},
		{fruit + "F | project ['Name'] | take 1", "Name;apple"},
		{fruit + "F | project tostring(Price), bin(Price, 1), tolower(Name) | take 1", "Price,Price1,Column1;1.5,1,apple"},
		{fruit + "F | project", "error: syntax error: unexpected end of the query"},
		{fruit + "F | project Name,", "error: syntax error: unexpected end of the query"},
		{fruit + "F | project (a, b) = Name", "error: there are more names than the function makes columns"},
		{fruit + "F | project (a) = Name | take 1", "a;apple"},
		{fruit + "F | project (Price) | take 1", "Price;1.5"},
		{fruit + "F | project (Price + 1) * 2, Name == 'apple' | take 1", "Column1,Column2;5,true"},
		{fruit + "F | project Total = , Name", `error: syntax error: unexpected ","`},
		{fruit + "F | extend Total = Price * Count | project Name, Total", "Name,Total;apple,4.5;banana,6;cherry,;damson,"},
		{fruit + "F | extend Price = Price * 2, Twice = Price | project Price, Twice | take 1", "Price,Twice;3,1.5"},
		{fruit + "F | extend strlen(Name) | project-away Color | take 1", "Name,Price,Count,Column1;apple,1.5,3,5"},
		{fruit + "F | extend Column1 = 1, strlen(Name) | project Column1, Column2 | take 1", "Column1,Column2;1,5"},
		{fruit + "F | extend Count = tostring(Count) | where Count == '' | getschema | where ColumnName == 'Count' | project ColumnType", "ColumnType;string"},
		{fruit + "F | project n = iff(Count > 5, Count, Price) | getschema | project ColumnType", "ColumnType;real"},
		{fruit + "F | project-away Price, C* | take 1", "Name;apple"},
		{fruit + "F | project-away *o* | take 1", "Name,Price;apple,1.5"},
		{fruit + "F | project-away Missing", "error: failed to resolve column named 'Missing'"},
		{fruit + "F | project-away Missing* | take 1", "Name,Color,Price,Count;apple,red,1.5,3"},
		{fruit + "F | project-away", "error: syntax error: unexpected end of the query"},
		{fruit + "F | project-away Name,", "error: syntax error: unexpected end of the query"},
		{fruit + "F | project-keep Count, Name | take 1", "Name,Count;apple,3"},
		{fruit + "F | project-keep C*t, ['Name'] | take 1", "Name,Count;apple,3"},
		{fruit + "F | project-keep Missing", "error: failed to resolve column named 'Missing'"},
		{fruit + "F | project-rename What = Name, HowMany = Count | take 1", "What,Color,Price,HowMany;apple,red,1.5,3"},
		{fruit + "F | project-rename ['the name'] = Name | take 1 | project ['the name']", "the name;apple"},
		{fruit + "F | project-rename What = Missing", "error: failed to resolve column named 'Missing'"},
		{fruit + "F | project-rename What", `error: syntax error: expected "=" but found the end of the query`},
		{fruit + "F | project-rename What =", "error: syntax error: unexpected end of the query"},
		{fruit + "F | project-rename = Name", `error: syntax error: unexpected "="`},
		{fruit + "F | project-reorder Price, Name | take 1", "Price,Name,Color,Count;1.5,apple,red,3"},
		{fruit + "F | project-reorder C* asc | take 1", "Color,Count,Name,Price;red,3,apple,1.5"},
		{fruit + "F | project-reorder C* desc | take 1", "Count,Color,Name,Price;3,red,apple,1.5"},
		{fruit + "F | project-reorder Price, * asc | take 1", "Price,Color,Count,Name;1.5,red,3,apple"},
		{fruit + "F | project-reorder Missing", "error: failed to resolve column named 'Missing'"},
		{fruit + "F | project-reorder Missing* | take 1", "Name,Color,Price,Count;apple,red,1.5,3"},
		{fruit + "F | project-reorder", "error: syntax error: unexpected end of the query"},
		{"print a1 = 1, a12 = 2, b = 3 | project-keep a1*", "a1,a12;1,2"},
		{"print a1 = 1, xa1 = 2, a1x = 3 | project-keep a1", "a1;1"},
		{"print a1 = 1, xa1 = 2, a1x = 3 | project-keep *1", "a1,xa1;1,2"},
		{"print ['a.b'] = 1, axb = 2 | project-keep ['a.b']", "a.b;1"},
		{"Ledger | take 1 | project x = column_ifexists('Who', 'none'), y = columnifexists('What', 'none')", "x,y;Nora,none"},
		{"Ledger | take 1 | project x = column_ifexists(Who, 'none')", "error: column_ifexists takes the name of a column as a text"},
		{"Ledger | take 1 | project x = column_ifexists('Who')", `error: syntax error: expected "," but found ")"`},
		{"Ledger | take 1 | project x = column_ifexists('Who', 'none'", `error: syntax error: expected ")" but found the end of the query`},
		{"Ledger | take 1 | project x = column_ifexists('Who', nothing)", "error: failed to resolve scalar expression named 'nothing'"},
		{fruit + "F | where Name == 'damson' | project p = pack_all()", `p;{"Color":"","Count":7,"Name":"damson","Price":null}`},
		{fruit + "F | where Name == 'damson' | project p = pack_all(true)", `p;{"Count":7,"Name":"damson"}`},
		{fruit + "F | where Name == 'damson' | project p = pack_all(false)", `p;{"Color":"","Count":7,"Name":"damson","Price":null}`},
		{"print a = dynamic({'b': [1]}) | project a.b, a['b'][0], a.b[0] + 0", "a_b,a_b_0,Column1;[1],1,1"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/sort-operator
// https://learn.microsoft.com/en-us/kusto/query/top-operator
func TestOrder(t *testing.T) {
	const numbers = "datatable(n:long, s:string)[2, 'b', long(null), 'c', 1, 'B', 2, 'a'] "
	const special = "datatable(r:real)[real(nan), 5, real(null), real(-inf), 0, real(+inf), -5] "
	checkTables(t, []example{
		{numbers + "| sort by n | project n", "n;2;2;1;"},
		{numbers + "| sort by n desc | project n", "n;2;2;1;"},
		{numbers + "| sort by n asc | project n", "n;;1;2;2"},
		{numbers + "| sort by n asc nulls last | project n", "n;1;2;2;"},
		{numbers + "| sort by n asc nulls first | project n", "n;;1;2;2"},
		{numbers + "| sort by n desc nulls first | project n", "n;;2;2;1"},
		{numbers + "| sort by n desc nulls last | project n", "n;2;2;1;"},
		{numbers + "| sort by n nulls first | project n", "n;;2;2;1"},
		{numbers + "| order by s asc | project s", "s;B;a;b;c"},
		{numbers + "| order by n desc, s asc", "n,s;2,a;2,b;1,B;,c"},
		{numbers + "| order by n asc, s desc", "n,s;,c;1,B;2,b;2,a"},
		{numbers + "| sort by n", "n,s;2,b;2,a;1,B;,c"},
		{numbers + "| sort by strlen(s), n + 1 asc | project n", "n;;1;2;2"},
		{numbers + "| sort by hint.strategy=x n", "error: failed to resolve scalar expression named 'hint'"},
		{numbers + "| sort hint.strategy=x by n | take 1", "n,s;2,b"},
		{numbers + "| sort n", `error: syntax error: unexpected "n"`},
		{numbers + "| sort by", "error: syntax error: unexpected end of the query"},
		{numbers + "| sort by n nulls", "error: syntax error: unexpected end of the query"},
		{numbers + "| sort by n nulls middle", `error: syntax error: unexpected "middle"`},
		{numbers + "| sort by n up", `error: syntax error: unexpected "up"`},
		{numbers + "| sort by dynamic([1])", "error: rows cannot be sorted by a dynamic value; use tostring or another conversion"},
		{special + "| sort by r asc nulls first", "r;;NaN;-∞;-5;0;5;∞"},
		{special + "| sort by r desc nulls first", "r;;NaN;∞;5;0;-5;-∞"},
		{special + "| sort by r asc nulls last", "r;-∞;-5;0;5;∞;NaN;"},
		{special + "| sort by r desc nulls last", "r;∞;5;0;-5;-∞;NaN;"},
		{"datatable(t:datetime)[datetime(2026), datetime(2025)] | sort by t asc | extend y = getyear(t) | project y", "y;2025;2026"},
		{"datatable(t:timespan)[1h, -1h] | sort by t", "t;01:00:00;-01:00:00"},
		{"datatable(b:bool)[true, false] | sort by b asc", "b;false;true"},
		{numbers + "| top 2 by n", "n,s;2,b;2,a"},
		{numbers + "| top 2 by n asc", "n,s;,c;1,B"},
		{numbers + "| top 1 by n asc nulls last", "n,s;1,B"},
		{numbers + "| top 1 by n desc nulls first", "n,s;,c"},
		{numbers + "| top 9 by n | count", "Count;4"},
		{numbers + "| top 0 by n | count", "Count;0"},
		{numbers + "| top 3 by n, s asc", "n,s;2,a;2,b;1,B"},
		{numbers + "| top 2 of n", `error: syntax error: unexpected "of"`},
		{numbers + "| top by n", "error: failed to resolve scalar expression named 'by'"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/join-operator
func TestJoins(t *testing.T) {
	const sides = `let L = datatable(K:string, V:long)['a', 1, 'b', 2, 'b', 3, 'd', 4];
		let R = datatable(K:string, W:long)['b', 10, 'b', 20, 'c', 30, 'd', 40]; `
	const numbers = `let L = datatable(n:long, x:string)[1, 'one', long(null), 'none', 2, 'two'];
		let R = datatable(m:real, y:string)[1.0, 'eins', real(null), 'keins', 3.0, 'drei']; `
	checkTables(t, []example{
		{sides + "L | join R on K", "K,V,K1,W;b,2,b,10;b,2,b,20;d,4,d,40"},
		{sides + "L | join kind=innerunique R on K", "K,V,K1,W;b,2,b,10;b,2,b,20;d,4,d,40"},
		{sides + "L | join kind=inner R on K", "K,V,K1,W;b,2,b,10;b,2,b,20;b,3,b,10;b,3,b,20;d,4,d,40"},
		{sides + "L | join kind=leftouter R on K", "K,V,K1,W;a,1,,;b,2,b,10;b,2,b,20;b,3,b,10;b,3,b,20;d,4,d,40"},
		{sides + "L | join kind=rightouter R on K", "K,V,K1,W;b,2,b,10;b,2,b,20;b,3,b,10;b,3,b,20;d,4,d,40;,,c,30"},
		{sides + "L | join kind=fullouter R on K", "K,V,K1,W;a,1,,;b,2,b,10;b,2,b,20;b,3,b,10;b,3,b,20;d,4,d,40;,,c,30"},
		{sides + "L | join kind=leftanti R on K", "K,V;a,1"},
		{sides + "L | join kind=anti R on K", "K,V;a,1"},
		{sides + "L | join kind=leftantisemi R on K", "K,V;a,1"},
		{sides + "L | join kind=rightanti R on K", "K,W;c,30"},
		{sides + "L | join kind=rightantisemi R on K", "K,W;c,30"},
		{sides + "L | join kind=leftsemi R on K", "K,V;b,2;b,3;d,4"},
		{sides + "L | join kind=rightsemi R on K", "K,W;b,10;b,20;d,40"},
		{sides + "L | join kind=cross R on K", "error: the join kind 'cross' is not known"},
		{sides + "L | join kind=inner hint.remote=left R on K | count", "Count;5"},
		{sides + "L | join kind=inner (R | where W > 10 | project K, V = W) on K", "K,V,K1,V1;b,2,b,20;b,3,b,20;d,4,d,40"},
		{sides + "L | join kind=inner R on $left.K == $right.K | count", "Count;5"},
		{sides + "L | join kind=inner R on $right.K == $left.K | count", "Count;5"},
		{sides + "L | join kind=inner (R | extend V = W / 10) on K, V", "K,V,K1,W,V1;b,2,b,20,2;d,4,d,40,4"},
		{sides + "L | join kind=inner (R | extend V = W / 5) on K and V", "K,V,K1,W,V1;b,2,b,10,2"},
		{sides + "L | join kind=inner (R | extend X = W / 5) on K, $left.V == $right.X", "K,V,K1,W,X;b,2,b,10,2"},
		{sides + "L | join R", "error: syntax error: unexpected end of the query"},
		{sides + "L | join R on", "error: syntax error: unexpected end of the query"},
		{sides + "L | join R on V", "error: failed to resolve column named 'V' of the right side of the join"},
		{sides + "L | join R on W", "error: failed to resolve column named 'W' of the left side of the join"},
		{sides + "L | join R on $left.K == $left.K", "error: a join compares a column of $left with one of $right"},
		{sides + "L | join R on $right.K == $right.K", "error: a join compares a column of $left with one of $right"},
		{sides + "L | join R on $left.K == K", "error: a join compares a column of $left with one of $right"},
		{sides + "L | join R on $left.K", `error: syntax error: expected "==" but found the end of the query`},
		{sides + "L | join R on $left", `error: syntax error: expected "." but found the end of the query`},
		{sides + "L | join R on $left.", "error: syntax error: unexpected end of the query"},
		{sides + "L | join R on $left.K == $right.W", "error: the columns 'K' (string) and 'W' (long) cannot be joined on"},
		{sides + "L | extend D = dynamic(1) | join (R | extend D = dynamic(1)) on D", "error: the columns 'D' (dynamic) and 'D' (dynamic) cannot be joined on"},
		{sides + "L | join Nothing on K", "error: failed to resolve table or column expression named 'Nothing'"},
		{sides + "L | lookup R on K", "K,V,W;a,1,;b,2,10;b,2,20;b,3,10;b,3,20;d,4,40"},
		{sides + "L | lookup kind=inner R on K", "K,V,W;b,2,10;b,2,20;b,3,10;b,3,20;d,4,40"},
		{sides + "L | lookup kind=leftouter (R | project K2 = K, V = W) on $left.K == $right.K2", "K,V,V1;a,1,;b,2,10;b,2,20;b,3,10;b,3,20;d,4,40"},
		{sides + "L | lookup kind=fullouter R on K", "error: the lookup kind 'fullouter' is not known"},
		{numbers + "L | join kind=inner R on $left.n == $right.m", "n,x,m,y;1,one,1,eins"},
		{numbers + "L | join kind=fullouter R on $left.n == $right.m", "n,x,m,y;1,one,1,eins;,none,,;2,two,,;,,,keins;,,3,drei"},
		{numbers + "L | join kind=leftanti R on $left.n == $right.m", "n,x;,none;2,two"},
		{numbers + "L | join kind=leftsemi R on $left.n == $right.m", "n,x;1,one"},
		{numbers + "L | join kind=innerunique (R | project n = tolong(m)) on n", "n,x,n1;1,one,1"},
		{
			"let L = datatable(n:long, s:string)[1, 'a', 1, 'b', long(null), 'c', long(null), 'd']; L | join kind=innerunique (print n = 1) on n | project s",
			"s;a",
		},
		{"let T = datatable(k:long, k1:long)[1, 2]; T | join T on k", "k,k1,k2,k11;1,2,1,2"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/union-operator
func TestUnions(t *testing.T) {
	const tables = `let A = datatable(x:long, y:string)[1, 'a']; let B = datatable(x:long, z:real)[2, 2.5]; let C = datatable(x:string)['c']; `
	checkTables(t, []example{
		{tables + "union isfuzzy=true (A | where x > 0), (B | where x > 0), (Nothing | where x > 0) | count", "Count;2"},
		{tables + "union isfuzzy=true (Nothing | where (x > 0)), A | count", "Count;1"},
		{tables + "union isfuzzy=true Nothing, A, Nowhere | count", "Count;1"},
		{tables + "union isfuzzy=false Nothing, A | count", "error: failed to resolve table or column expression named 'Nothing'"},
		{"let V1 = view () { print x = 1 }; let V2 = view () { print x = toint(2) }; union withsource=From V1, V2", "From,x_long,x_int;V1,1,;V2,,2"},
		{
			"let V1 = view () { print x = 1 }; let V2 = view () { print x = toint(2) }; let V3 = view () { print x_long = 3 }; union withsource=From V1, V2, V3",
			"From,x_long1,x_int,x_long;V1,1,,;V2,,2,;V3,,,3",
		},
		{tables + "A | union B", "x,y,z;1,a,;2,,2.5"},
		{tables + "union A, B", "x,y,z;1,a,;2,,2.5"},
		{tables + "union kind=outer A, B", "x,y,z;1,a,;2,,2.5"},
		{tables + "union kind=inner A, B", "x;1;2"},
		{tables + "union A, C", "x_long,x_string,y;1,,a;,c,"},
		{tables + "union withsource=From A, B", "From,x,y,z;A,1,a,;B,2,,2.5"},
		{tables + "A | union withsource=From B | project From, x", "From,x;union_arg0,1;B,2"},
		{tables + "union withsource=From (A | take 1), (B), Ledger | summarize by From", "From;union_arg0;union_arg1;Ledger"},
		{tables + "A | union (B | where x > 5), A | count", "Count;2"},
		{tables + "union isfuzzy=true A, Nothing | count", "Count;1"},
		{tables + "union isfuzzy=true Nothing", "error: the union has no table"},
		{tables + "union A, Nothing", "error: failed to resolve table or column expression named 'Nothing'"},
		{tables + "union isfuzzy=true A, (Ledger | where Nope == 1)", "error: failed to resolve scalar expression named 'Nope'"},
		{tables + "union", "error: syntax error: unexpected end of the query"},
		{tables + "union A,", "error: syntax error: unexpected end of the query"},
		{tables + "A | union kind=inner withsource=From isfuzzy=true B", "From,x;union_arg0,1;B,2"},
		{"union Led* | count", "Count;5"},
		{"union * | count", "Count;5"},
		{"union withsource=T L*r | summarize count() by T", "T,count_;Ledger,5"},
		{"union withsource=T Led*, Ledger | summarize count() by T", "T,count_;Ledger,10"},
		{"union Nope*", "error: the union has no table"},
		{"Ledger | union Nope* | count", "Count;5"},
		{"union Led *", "error: failed to resolve table or column expression named 'Led'"},
		{"let L = view () { Ledger | take 1 }; union L(), Ledger | count", "Count;6"},
		{"let L = union Ledger, Ledger; L | count", "Count;10"},
		{"let L = (union Ledger, Ledger); L | count", "Count;10"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/mv-expand-operator
// https://learn.microsoft.com/en-us/kusto/query/mv-apply-operator
func TestExpansions(t *testing.T) {
	const lists = `let T = datatable(a:long, b:dynamic, c:dynamic)[1, dynamic([10, 20]), dynamic(['x']), 2, dynamic([]), dynamic(['y']), 3, dynamic(null), dynamic({'p': 1, 'q': 2})]; `
	checkTables(t, []example{
		{lists + "T | mv-apply a on (count)", "error: a value of type long cannot be expanded; use todynamic"},
		{lists + "T | mv-expand b to", "error: syntax error: unexpected end of the query"},
		{lists + "T | mv-expand b | project a, b", "a,b;1,10;1,20;3,"},
		{lists + "T | mv-expand b, c", `a,b,c;1,10,x;1,20,;2,,y;3,,{"p":1};3,,{"q":2}`},
		{lists + "T | mv-expand c | where a == 3 | project c", `c;{"p":1};{"q":2}`},
		{lists + "T | mv-expand kind=array c | where a == 3 | project c", `c;["p",1];["q",2]`},
		{lists + "T | mv-expand bagexpansion=array c | where a == 3 | project c", `c;["p",1];["q",2]`},
		{lists + "T | mv-expand kind=bag c | where a == 3 | project c", `c;{"p":1};{"q":2}`},
		{lists + "T | mv-expand with_itemindex=i b | project a, b, i", "a,b,i;1,10,0;1,20,1;3,,0"},
		{lists + "T | mv-expand d = b | project a, b, d", "a,b,d;1,[10,20],10;1,[10,20],20;3,,"},
		{lists + "T | mv-expand pack_array(a, a * 2) | project a, Column1", "a,Column1;1,1;1,2;2,2;2,4;3,3;3,6"},
		{lists + "T | mv-expand b limit 1 | project a, b", "a,b;1,10;3,"},
		{lists + "T | mv-expand b limit 0 | project a, b", "a,b"},
		{lists + "T | mv-expand b limit x", "error: limit takes a number"},
		{lists + "T | mv-expand b to typeof(long) | extend d = b + 1 | project a, d", "a,d;1,11;1,21;3,"},
		{lists + "T | mv-expand b to typeof(string) | getschema | project ColumnType", "ColumnType;long;string;dynamic"},
		{lists + "T | mv-expand d = b to typeof(int), c | getschema | project ColumnType", "ColumnType;long;dynamic;dynamic;int"},
		{lists + "T | mv-expand b to typeof(decimal)", "error: the type 'decimal' is not supported by this simulated service"},
		{lists + "T | mv-expand b to typeof long", `error: syntax error: expected "(" but found "long"`},
		{lists + "T | mv-expand b to long", `error: syntax error: unexpected "long"`},
		{lists + "T | mv-expand b to typeof(long", `error: syntax error: expected ")" but found the end of the query`},
		{lists + "T | mv-expand a", "error: a value of type long cannot be expanded; use todynamic"},
		{lists + "T | mv-expand", "error: syntax error: unexpected end of the query"},
		{lists + "T | mvexpand b | count", "Count;3"},
		{"print x = range(1, 1000) | mvexpand x | count", "Count;128"},
		{"print x = range(1, 1000) | mvexpand x limit 500 | count", "Count;500"},
		{"print x = range(1, 1000) | mv-expand x | count", "Count;1000"},
		{"print x = dynamic(['1', 2, 2.5, true, null]) | mv-expand x to typeof(long)", "x;;2;2;1;"},
		{"print x = dynamic(['1', 2, 'text']) | mv-expand x to typeof(string)", "x;1;2;text"},
		{"print x = dynamic(['2026-06-01', datetime(2026-06-02)]) | mv-expand x to typeof(datetime)", "x;;2026-06-02T00:00:00.0000000Z"},
		{"print x = dynamic(['74be27de-1e4e-49d9-b579-fe0b331d3642']) | mv-expand x to typeof(guid)", "x;74be27de-1e4e-49d9-b579-fe0b331d3642"},
		{"print x = dynamic(['a', [1]]) | mv-expand x to typeof(dynamic)", "x;a;[1]"},
		{"print x = dynamic(['a', 'b']) | sort by tostring(x) | mv-expand x | extend p = prev(x)", "x,p;a,;b,a"},
		{lists + "T | mv-apply b on (summarize s = sum(b)) | project a, s", "a,s;1,30;2,0;3,0"},
		{lists + "T | mv-apply b to typeof(long) on (where b > 10) | project a, b", "a,b;1,20"},
		{lists + "T | mv-apply with_itemindex=i b on (where i == 1) | project a, b, i", "a,b,i;1,20,1"},
		{lists + "T | mv-apply n = b on (top 1 by tolong(n)) | project a, b, n", "a,b,n;1,[10,20],20;3,,"},
		{lists + "T | mv-apply b on (extend p = prev(b)) | project a, b, p", "a,b,p;1,10,;1,20,10;3,,"},
		{lists + "T | mv-apply b limit 1 on (project b) | project a, b", "a,b;1,10;3,"},
		{lists + "let least = 15; T | mv-apply b on (where b > least) | project b", "b;20"},
		{lists + "T | mv-apply b", "error: syntax error: unexpected end of the query"},
		{lists + "T | mv-apply b on where b > 1", `error: syntax error: unexpected "where"`},
		{lists + "T | mv-apply b on (where b > 1", "error: syntax error: the query of mv-apply is not closed"},
		{lists + "T | mv-apply b on (where b > 1 b)", `error: syntax error: unexpected "b"`},
		{lists + "T | mv-apply b on (nothing)", "error: syntax error: 'nothing' is not an operator"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/parse-operator
func TestParse(t *testing.T) {
	checkTables(t, []example{
		{"print s = 'a=1, b=two' | parse s with 'a=' a:long ', b=' b", "s,a,b;a=1, b=two,1,two"},
		{"print s = 'a=1, b=two' | parse s with * 'b=' b | project b", "b;two"},
		{"print s = 'a=1, b=two' | parse s with 'a=' a:long * | project a", "a;1"},
		{"print s = 'a=-1, b=two' | parse s with 'a=' a:int ',' * | project a", "a;-1"},
		{"print s = 'a= 5;' | parse s with 'a=' a:long ';' | project a", "a;5"},
		{"print s = 'a=x;' | parse s with 'a=' a:long ';' | project a", "a;"},
		{"print s = 'a=1.5;' | parse s with 'a=' a:real ';' | project a", "a;1.5"},
		{"print s = 'a=x;' | parse s with 'a=' a:real ';' b | project a, b", "a,b;,"},
		{"print s = 'at 2026-06-01T10:00:00Z.' | parse s with 'at ' a:datetime '.' | project a", "a;2026-06-01T10:00:00.0000000Z"},
		{"print s = 'no' | parse s with 'a=' a ';' b:long", "s,a,b;no,,"},
		{"print s = 'x1' | parse s with s:string '1' | project s", "s;x"},
		{"print s = 'a=1;b=2' | parse s with 'a=' ['the a'] ';' * | project ['the a']", "the a;1"},
		{"print s = 'a.b' | parse s with x '.' y | project x, y", "x,y;a,b"},
		{"print s = 'axb' | parse s with x '.' y | project x, y", "x,y;,"},
		{"print s = 'a\\nb;c' | parse s with x ';' y | project strlen(x), y", "Column1,y;3,c"},
		{"print s = 'k=v' | parse strcat(s, ';') with 'k=' v ';' | project v", "v;v"},
		{"print s = 'k=v' | parse kind=simple s with 'k=' v | project v", "v;v"},
		{"print n = 12345 | parse n with '12' x:long | project x", "x;345"},
		{"print s = 'a=x;b=2' | parse kind=relaxed s with 'a=' a:long ';b=' b:long | project a, b", "a,b;,2"},
		{"print s = 'a=1;b=2' | parse kind=relaxed s with 'a=' a:long ';b=' b:int | project a, b", "a,b;1,2"},
		{"print s = 'a=1;c=2' | parse kind=relaxed s with 'a=' a:long ';b=' b:long | project a, b", "a,b;,"},
		{"print s = 'id=12 - x9' | parse kind=regex s with @'id=' id:long @'\\s-\\s[a-z]' n:int | project id, n", "id,n;12,9"},
		{"print s = 'x id=12;' | parse kind=regex s with 'id=' id:long | project id", "id;"},
		{"print s = 'x id=12' | parse kind=regex s with 'id=' id:long | project id", "id;12"},
		{"print s = 'x' | parse kind=regex s with '(' id", "error: invalid regular expression: error parsing regexp: missing closing ): `(?s)(?:()(.*)`"},
		{"print s = 'x' | parse kind=regex s with '(x)' id", "error: the pattern of parse with groups of its own '(?s)(?:(x))(.*)' is not supported by this simulated service"},
		{"print s = 'x' | parse kind=regex flags=i s with 'X' id", "error: the kind of parse 'regexi' is not supported by this simulated service"},
		{"print s = 'x' | parse kind=fancy s with 'X' id", "error: the kind of parse 'fancy' is not supported by this simulated service"},
		{"print s = 'x' | parse s 'X' id", `error: syntax error: unexpected "'X'"`},
		{"print s = 'x' | parse s with", "error: syntax error: unexpected end of the query"},
		{"print s = 'x' | parse s with 'x' a:decimal", "error: the type 'decimal' is not supported by this simulated service"},
		{"print s = 'x' | parse s with 'x' [a]", `error: syntax error: unexpected "["`},
		{"print s = 'x' | parse with 'x' a", "error: failed to resolve scalar expression named 'with'"},
		{"datatable(s:string)['a=1;', 'b', 'a=x;'] | parse-where s with 'a=' n:long ';'", "s,n;a=1;,1"},
		{"datatable(s:string)['a=1;', 'b', 'a=x;'] | parse s with 'a=' n:long ';'", "s,n;a=1;,1;b,;a=x;,"},
		{"datatable(s:string, n:long)['a=1;', 9, 'b', 8] | parse s with 'a=' n:long ';'", "s,n;a=1;,1;b,"},
		{"datatable(s:string)['a=1', 'a=2'] | sort by s | parse s with 'a=' n:long | extend p = prev(n)", "s,n,p;a=2,2,;a=1,1,2"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/make-series-operator
func TestSeries(t *testing.T) {
	const readings = `let M = datatable(t:datetime, v:real, k:string)[
		datetime(2017-01-01), 4, 'a', datetime(2017-01-02), 3, 'a', datetime(2017-01-02T12:00), 6, 'b', datetime(2017-01-04), 8, 'b'
	]; `
	const days = "on t from datetime(2017-01-01) to datetime(2017-01-05) step 1d"
	const dates = `["2017-01-01T00:00:00.0000000Z","2017-01-02T00:00:00.0000000Z","2017-01-03T00:00:00.0000000Z","2017-01-04T00:00:00.0000000Z"]`
	checkTables(t, []example{
		{readings + "M | make-series n = count() on v from 3 to 3 step 1", "n,v;[],[]"},
		{readings + "M | make-series n = count() on v from 3 to 4 step 1", "n,v;[1],[3]"},
		{readings + "M | make-series n = count() on v from 9 to 3 step 1", "n,v;[],[]"},
		{readings + "M | make-series n = count() default = nothing " + days, "error: failed to resolve scalar expression named 'nothing'"},
		{readings + "M | make-series n = count() on nothing from 1 to 2 step 1", "error: failed to resolve scalar expression named 'nothing'"},
		{readings + "M | make-series n = count() on v from nothing to 2 step 1", "error: failed to resolve scalar expression named 'nothing'"},
		{readings + "M | make-series n = count() " + days + " by nothing", "error: failed to resolve scalar expression named 'nothing'"},
		{readings + "M | make-series n = count() on v from 3 to 9 step 2 by v | count", "Count;4"},
		{readings + "M | make-series avg(v) " + days, "avg_v,t;[4,4.5,0,8]," + dates},
		{readings + "M | make-series n = count(), s = sum(v) default=-1 " + days + " | project n, s", "n,s;[1,2,0,1],[4,9,-1,8]"},
		{readings + "M | make-series n = sum(v) default = real(null) " + days + " | project n", "n;[4,9,null,8]"},
		{readings + "M | make-series n = count() " + days + " by k | project k, n", "k,n;a,[1,1,0,0];b,[0,1,0,1]"},
		{readings + "M | make-series n = count() " + days + " by toupper(k) | project Column1, n", "Column1,n;A,[1,1,0,0];B,[0,1,0,1]"},
		{readings + "M | make-series count(), count() " + days + " | project-away t", "count_,count_1;[1,2,0,1],[1,2,0,1]"},
		{readings + "M | make-series t = count() " + days + " | getschema | project ColumnName", "ColumnName;t;t1"},
		{readings + "M | make-series n = count() on bin(v, 1) from 3 to 9 step 2", "n,v;[2,1,1],[3,5,7]"},
		{readings + "M | make-series n = count() on v + 0 from 3 to 9 step 2", "n,Column1;[2,1,1],[3,5,7]"},
		{readings + "M | make-series n = count() on v from 3 to 8 step 2", "n,v;[2,1,1],[3,5,7]"},
		{readings + "M | take 0 | make-series n = count() " + days + " | count", "Count;0"},
		{readings + "M | take 0 | make-series kind=nonempty n = count(), a = avg(v) default=1.5 " + days + " | project n, a", "n,a;[0,0,0,0],[1.5,1.5,1.5,1.5]"},
		{readings + "M | take 0 | make-series kind=nonempty n = count() " + days + " by k | count", "Count;0"},
		{readings + "M | make-series n = count() on t step 1d", "error: make-series without 'from' and 'to' is not supported by this simulated service"},
		{readings + "M | make-series n = count() on t from datetime(2017) step 1d", "error: make-series without 'from' and 'to' is not supported by this simulated service"},
		{readings + "M | make-series n = count() on t from datetime(2017) to datetime(2018)", "error: syntax error: unexpected end of the query"},
		{readings + "M | make-series n = count() on t from datetime(2017) to datetime(2018) step 0d", "error: a range needs values of one type, and a step that is not zero"},
		{readings + "M | make-series n = count() on t from datetime(2017) to datetime(2018) step 1", "error: a range needs values of one type, and a step that is not zero"},
		{readings + "M | make-series n = count()", "error: syntax error: unexpected end of the query"},
		{readings + "M | make-series n = count() default 1 " + days, `error: syntax error: expected "=" but found "1"`},
		{readings + "M | make-series n = v " + days, "error: the column 'v' must be in an aggregate function or after 'by'"},
		{readings + "M | make-series", "error: syntax error: unexpected end of the query"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/bag-unpack-plugin
// https://learn.microsoft.com/en-us/kusto/query/pivot-plugin
func TestPlugins(t *testing.T) {
	const bags = "let T = datatable(k:long, d:dynamic)[1, dynamic({'Name': 'John', 'Age': 20}), 2, dynamic({'Name': 'Dave', 'Height': 1.8}), 3, dynamic(null)]; "
	const events = "let E = datatable(City:string, Kind:string, n:long)['A', 'x', 1, 'A', 'y', 2, 'B', 'x', 3, 'A', 'x', 4]; "
	checkTables(t, []example{
		{events + "E | extend nn = n * 10 | evaluate pivot(Kind, sum(nn), City)", "City,x,y;A,50,20;B,30,0"},
		{events + "E | extend nn = n * 10 | project-away City | evaluate pivot(Kind, sum(nn))", "n,x,y;1,10,0;2,0,20;3,30,0;4,40,0"},
		{events + "E | extend nn = n * 10 | project-away City | evaluate pivot(Kind, sum(n))", "nn,x,y;10,1,0;20,0,2;30,3,0;40,4,0"},
		{"datatable(d:dynamic)[dynamic({'a': null}), dynamic({'a': null})] | evaluate bag_unpack(d) | getschema | project ColumnName, ColumnType", "ColumnName,ColumnType;a,dynamic"},
		{bags + "T | evaluate bag_unpack(d)", "k,Age,Height,Name;1,20,,John;2,,1.8,Dave;3,,,"},
		{bags + "T | evaluate bag_unpack(d, 'P_')", "k,P_Age,P_Height,P_Name;1,20,,John;2,,1.8,Dave;3,,,"},
		{bags + "T | evaluate bag_unpack(d) | getschema | project ColumnType", "ColumnType;long;long;real;string"},
		{"datatable(d:dynamic)[dynamic({'a': 1}), dynamic({'a': 'x'}), dynamic({'a': null})] | evaluate bag_unpack(d) | getschema | project ColumnType", "ColumnType;dynamic"},
		{"datatable(d:dynamic)[dynamic({'a': null}), dynamic({'a': 'x'})] | evaluate bag_unpack(d) | getschema | project ColumnType", "ColumnType;string"},
		{"datatable(d:dynamic)[dynamic({'a': 'x'}), dynamic({'a': null})] | evaluate bag_unpack(d) | getschema | project ColumnType", "ColumnType;string"},
		{"datatable(Name:string, d:dynamic)['x', dynamic({'Name': 'John'})] | evaluate bag_unpack(d)", "error: bag_unpack would make a second column 'Name'"},
		{"datatable(Name:string, d:dynamic)['x', dynamic({'Name': 'John'})] | evaluate bag_unpack(d, 'd_')", "Name,d_Name;x,John"},
		{bags + "T | evaluate bag_unpack(k)", "error: failed to resolve dynamic column named 'k'"},
		{bags + "T | evaluate bag_unpack(z)", "error: failed to resolve dynamic column named 'z'"},
		{bags + "T | evaluate bag_unpack(d, columnsConflict)", "error: the argument of bag_unpack 'columnsConflict' is not supported by this simulated service"},
		{bags + "T | evaluate bag_unpack(d, 'P_', 'x')", `error: syntax error: expected ")" but found ","`},
		{bags + "T | evaluate bag_unpack d", `error: syntax error: expected "(" but found "d"`},
		{bags + "T | evaluate bag_unpack()", `error: syntax error: unexpected ")"`},
		{bags + "T | evaluate basket(d)", "error: the plugin 'basket' is not supported by this simulated service"},
		{bags + "T | evaluate 1", `error: syntax error: unexpected "1"`},
		{bags + "T | evaluate hint.distribution=single bag_unpack(d) | count", "Count;3"},
		{events + "E | evaluate pivot(Kind)", "City,n,x,y;A,1,1,0;A,2,0,1;B,3,1,0;A,4,1,0"},
		{events + "E | project City, Kind | evaluate pivot(Kind)", "City,x,y;A,2,1;B,1,0"},
		{events + "E | evaluate pivot(Kind, sum(n))", "City,x,y;A,5,2;B,3,0"},
		{events + "E | evaluate pivot(Kind, max(n), City)", "City,x,y;A,4,2;B,3,"},
		{events + "E | evaluate pivot(Kind, count(), City, n) | count", "Count;4"},
		{events + "E | evaluate pivot(City, sum(n), Kind)", "Kind,A,B;x,5,3;y,2,0"},
		{events + "E | extend x = 1 | evaluate pivot(Kind, sum(n))", "City,x,x1,y;A,1,5,2;B,1,3,0"},
		{events + "E | evaluate pivot(Nope)", "error: failed to resolve column named 'Nope'"},
		{events + "E | evaluate pivot(Kind, sum(n), Nope)", "error: failed to resolve column named 'Nope'"},
		{events + "E | evaluate pivot(Kind, n)", "error: the column 'n' must be in an aggregate function or after 'by'"},
		{events + "E | evaluate pivot(Kind", `error: syntax error: expected ")" but found the end of the query`},
		{events + "E | evaluate pivot", `error: syntax error: expected "(" but found the end of the query`},
		{events + "E | evaluate pivot()", `error: syntax error: unexpected ")"`},
		{events + "E | evaluate pivot(Kind, sum(n), )", `error: syntax error: unexpected ")"`},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/search-operator
func TestSearch(t *testing.T) {
	checkTables(t, []example{
		{"search hint.x in (Ledger) 'a'", `error: syntax error: expected "=" but found "in"`},
		{"search 'tea' | project $table, Who", "$table,Who;Ledger,Tom;Ledger,Ada"},
		{"search in (Ledger) 'tea' | project Who", "Who;Tom;Ada"},
		{"search in (Led*) 'tea' | count", "Count;2"},
		{"search kind=case_sensitive in (Ledger) 'tea' | project Who", "Who;Tom"},
		{"search kind=case_insensitive in (Ledger) 'tea' | project Who", "Who;Tom;Ada"},
		{"Ledger | search 'TEA' | project Who", "Who;Tom;Ada"},
		{"Ledger | search kind=case_sensitive 'TEA' | project Who", "Who;Ada"},
		{"Ledger | search 'te' | count", "Count;0"},
		{"Ledger | search 'te*' | project Who", "Who;Tom;Ada"},
		{"Ledger | search '*ty' | project Who", "Who;Ada"},
		{"Ledger | search '*art*' | project Who", "Who;Ada"},
		{"Ledger | search 'te*rty' | project Who", "Who;Ada"},
		{"Ledger | search 're*om' | project Who", "Who;nora"},
		{"Ledger | search 're*o'", "Timestamp,Who,Amount,Note,Details,Missing"},
		{"Ledger | search 're*o*' | project Who", "Who;nora"},
		{"Ledger | search 'ef*om'", "Timestamp,Who,Amount,Note,Details,Missing"},
		{"Ledger | search '*ef*om' | project Who", "Who;nora"},
		{"Ledger | search 'T*y' | project Who", "Who;Nora;Ada"},
		{"Ledger | search kind=case_sensitive 'T*Y'", "Timestamp,Who,Amount,Note,Details,Missing"},
		{"Ledger | search kind=case_sensitive 'T*y' | project Who", "Who;Nora;Ada"},
		{"Ledger | search 'f.x*y'", "Timestamp,Who,Amount,Note,Details,Missing"},
		{"Ledger | search * | count", "Count;5"},
		{"search * | count", "Count;5"},
		{"Ledger | search * and 'party' | count", "Count;1"},
		{"Ledger | search Note:'te*' | project Who", "Who;Tom;Ada"},
		{"Ledger | search kind=case_sensitive Note:'tea' | project Who", "Who;Tom"},
		{"Ledger | search 'tea' and 'party' | project Who", "Who;Ada"},
		{"Ledger | search 'refund' or 'party' | project Who", "Who;nora;Ada"},
		{"Ledger | search 'tea' and not('party') | project Who", "Who;Tom"},
		{"Ledger | search not('tea') and Who == 'Tom' | project Amount", "Amount;9007199254740993"},
		{"Ledger | search ('refund' or 'party') and Who =~ 'ADA' | project Who", "Who;Ada"},
		{"Ledger | search 'refund' or 'party' and Who == 'Nora' | project Who", "Who;nora"},
		{"Ledger | search Amount > 5 and Amount < 10 | project Who", "Who;nora"},
		{"Ledger | search Note:'TEA' | project Who", "Who;Tom;Ada"},
		{"Ledger | search Who:'TEA' | count", "Count;0"},
		{"Ledger | search 5 == Amount | project Who", "Who;Nora"},
		{"Ledger | search '9007199254740993' | project Who", "Who;Nora;Tom"},
		{"Ledger | search 'Ledger' | count", "Count;0"},
		{"search 'Ledger' | count", "Count;0"},
		{"Ledger | search Nope:'x'", "error: failed to resolve column named 'Nope'"},
		{"Ledger | search Note:5", "error: failed to resolve column named 'Note'"},
		{"Ledger | search ('tea'", `error: syntax error: expected ")" but found the end of the query`},
		{"Ledger | search", "error: syntax error: unexpected end of the query"},
		{"Ledger | search 'tea' or", "error: syntax error: unexpected end of the query"},
		{"Ledger | search 'tea' and", "error: syntax error: unexpected end of the query"},
		{"Ledger | search not('tea'", `error: syntax error: expected ")" but found the end of the query`},
		{"search in Ledger 'tea'", `error: syntax error: expected "(" but found "Ledger"`},
		{"search in (Ledger 'tea')", `error: syntax error: expected ")" but found "'tea'"`},
		{"search in (Nope) 'tea'", "error: failed to resolve table or column expression named 'Nope'"},
		{"let s = search in (Ledger) 'tea'; s | count", "Count;2"},
		{"let s = search 'tea'; s | count", "Count;2"},
		{"let s = (search ('tea') or 'refund'); s | count", "Count;3"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/let-statement
func TestNamesOfLetStatements(t *testing.T) {
	checkTables(t, []example{
		{"let f = (a:long", "error: failed to resolve scalar expression named 'a'"},
		{"let f = (", "error: syntax error: unexpected end of the query"},
		{"let f = ()", `error: syntax error: unexpected ")"`},
		{"print (", "error: syntax error: unexpected end of the query"},
		{"print ()", `error: syntax error: unexpected ")"`},
		{"let f = (n:long) { Ledger | take n }; let few = f(2); few | count", "Count;2"},
		{"let f = (n:long) { n * 2 }; let twice = f(2); print twice", "print_0;4"},
		{"let f = (n:long) { let T = Ledger; T | take n }; let few = f(2); few | count", "Count;2"},
		{"let f = (n:long) { let T = (Ledger | where Amount > 0); T | take n }; print toscalar(f(3) | count)", "print_0;3"},
		{"let f = (n:long) { let g = (m:long) { let k = m; k }; let x = g(n); x + 1 }; let y = f(2); print y", "print_0;3"},
		{"let f = (n:long) { let list = dynamic([{'a': [1]}]); list[n] }; let y = f(0); print y.a[0]", "print_0;1"},
		{"let f = (T:(Who:string)) { T | summarize by Who }; let names = f(Ledger); Ledger | where Who in (names) | count", "Count;5"},
		{"let f = (T:(*)) { T | count }; print x = 5 | where x in (f(Ledger)) | count", "Count;1"},
		{"let f = () { let n = 1 }; print f()", `error: syntax error: expected ";" but found the end of the query`},
		{"let f = () { let n = ; n }; print f()", `error: syntax error: unexpected ";"`},
		{"let f = (n:long) { range x from 1 to n step 1 }; Ledger | where Amount in (f(Amount))", "error: the argument 'n' of the function 'f', which returns a table, must be a constant"},
		{"let f = (T:(*)) { T }; f(Nothing)", "error: failed to resolve table or column expression named 'Nothing'"},
		{"let f = (a:dynamic) { a }; print f(array_sort_asc(dynamic([1]), dynamic([2])))", "error: a function that makes several columns is used where one value is expected"},
		{"let f = (a:long) { a }; print f(nothing)", "error: failed to resolve scalar expression named 'nothing'"},
		{"let f = (1:long) { 1 }; print 1", `error: syntax error: unexpected "1"`},
		{"let f = (T:(1:long)) { T }; print 1", `error: syntax error: unexpected "1"`},
		{"let f = (T:(a:1)) { T }; print 1", `error: syntax error: unexpected "1"`},
		{"let f = (a:1) { a }; print 1", `error: syntax error: unexpected "1"`},
		{"print pack_all(1 2)", `error: syntax error: expected "," but found "2"`},
		{"print pack_all", "error: failed to resolve scalar expression named 'pack_all'"},
		{"let x = 1 + 2; let y = x * 2; print x, y", "print_0,print_1;3,6"},
		{"let when = ago(1h); Ledger | where Timestamp < when | count", "Count;5"},
		{"let Who = 'x'; Ledger | take 1 | project Who", "Who;Nora"},
		{"let Ledger = datatable(n:long)[1, 2]; Ledger | count", "Count;2"},
		{"let ['the table'] = Ledger; ['the table'] | count", "Count;5"},
		{"let n = toscalar(Ledger | summarize max(strlen(Who))); print n", "print_0;4"},
		{"let n = toscalar(5 + 1); print n", "print_0;6"},
		{"print toscalar(Ledger | where false | project Amount), toscalar(Ledger | where false | project Who)", "print_0,print_1;,"},
		{"print toscalar(Ledger | project-away *)", "error: toscalar takes a table with columns"},
		{"print toscalar(Ledger", `error: syntax error: expected ")" but found the end of the query`},
		{"print toscalar(Ledger | nothing)", "error: syntax error: 'nothing' is not an operator"},
		{"print toscalar(5", `error: syntax error: expected ")" but found the end of the query`},
		{"print materialize(Ledger)", "error: a table is used where a value is expected; use toscalar"},
		{"print (Ledger)", "error: a table is used where a value is expected; use toscalar"},
		{"let f = (a:long) { a + 1 }; print f(1), f(a = 2)", "print_0,print_1;2,3"},
		{"let f = (a:long, b:long = 10) { a * b }; print f(2), f(2, 3), f(b = 4, a = 5)", "print_0,print_1,print_2;20,6,20"},
		{"let f = (a:string) { toupper(a) }; Ledger | take 2 | project f(Who)", "Column1;NORA;NORA"},
		{"let f = (a:long) { let b = a * 2; let c = b + 1; c }; print f(3)", "print_0;7"},
		{"let f = (a:long) { a; }; print f(3)", "print_0;3"},
		{"let f = () { 42 }; print f()", "print_0;42"},
		{"let f = (a:real) { a / 2 }; print f(1)", "print_0;0.5"},
		{"let f = (a:dynamic) { a[0] }; print f(dynamic([7]))", "print_0;7"},
		{"let g = (a:long) { a + 1 }; let f = (a:long) { g(a) * 2 }; print f(1)", "print_0;4"},
		{"let n = 10; let f = (a:long) { a + n }; print f(1)", "print_0;11"},
		{"let f = (n:long) { Ledger | take n }; f(2) | count", "Count;2"},
		{"let f = () { Ledger | take 2 }; f | count", "Count;2"},
		{"let f = () { let n = 3; Ledger | take n }; f() | count", "Count;3"},
		{"let f = () { let T = Ledger; T }; f() | count", "Count;5"},
		{"let f = () { let T = (Ledger | where strlen(Who) > 3); let n = 1; T | take n }; union f(), Ledger | count", "Count;6"},
		{"let f = (T:(Who:string), w:string) { T | where Who == w }; f(Ledger, 'Tom') | count", "Count;2"},
		{"let f = (T:(*), n:long = 1) { T | take n }; f((Ledger | where Who == 'Tom')) | count", "Count;1"},
		{"let f = (T:(Who:string)) { T | summarize by Who }; Ledger | invoke f() | count", "Count;4"},
		{"let f = (T:(*), n:long) { T | take n }; Ledger | invoke f(2) | count", "Count;2"},
		{"let f = (T:(Whom:string)) { T }; Ledger | invoke f()", "error: the function 'f' wants a table with the column 'Whom' of type string"},
		{"let f = (T:(Who:long)) { T }; f(Ledger)", "error: the function 'f' wants a table with the column 'Who' of type long"},
		{"let f = (n:long) { Ledger }; Ledger | invoke f(1)", "error: the function 'f' does not take a table first"},
		{"Ledger | invoke f()", "error: the function 'f' is not supported by this simulated service"},
		{"Ledger | invoke", "error: syntax error: unexpected end of the query"},
		{"let f = (a:long) { a }; print f()", "error: the function 'f' lacks the argument 'a'"},
		{"let f = (a:long) { a }; print f(1, 2)", "error: the function 'f' takes 1 arguments"},
		{"let f = (a:long) { a }; print f(b = 2)", "error: the function 'f' has no parameter 'b'"},
		{"let f = (a:long) { a }; print f(1 2)", `error: syntax error: expected "," but found "2"`},
		{"let f = (a:long) { a }; print f(1", `error: syntax error: expected "," but found the end of the query`},
		{"let f = (a:long) { a }; print f", "error: failed to resolve scalar expression named 'f'"},
		{"let f = (a:long) { a a }; print f(1)", `error: syntax error: unexpected "a"`},
		{"let f = (a:long) { Ledger | take a }; print f(1)", "error: a function that returns a table is used where a value is expected"},
		{"let f = (a:long) { a + 1 }; f(1)", `error: failed to resolve table or column expression named 'a'`},
		{"let f = (a:long) { range x from 1 to a step 1 }; Ledger | project f(Amount)", "error: a function that returns a table is used where a value is expected"},
		{"let f = (a:long) { f(a) }; print f(1)", "error: the function 'f' is not supported by this simulated service"},
		{"let f = (a:decimal) { a }; print f(1)", "error: the type 'decimal' is not supported by this simulated service"},
		{"let f = (a) { a }; print f(1)", `error: syntax error: expected ":" but found ")"`},
		{"let f = (a:long b:long) { a }; print f(1)", `error: syntax error: unexpected "b"`},
		{"let f = (T:(a long)) { T }; print 1", `error: syntax error: expected ":" but found "long"`},
		{"let f = (T:(a:long b:long)) { T }; print 1", `error: syntax error: unexpected "b"`},
		{"let f = (T:(a:decimal)) { T }; print 1", "error: the type 'decimal' is not supported by this simulated service"},
		{"let f = (T:(* long)) { T }; print 1", `error: syntax error: expected ")" but found "long"`},
		{"let f = (a:long) { a", "error: syntax error: the body of a function is not closed"},
		{"let f = (a:long = ) { a }; print f(1)", `error: syntax error: unexpected ")"`},
		{"let = 1; print 1", `error: syntax error: unexpected "="`},
		{"let x 1; print 1", `error: syntax error: expected "=" but found "1"`},
		{"let x = ; print 1", `error: syntax error: unexpected ";"`},
		{"let x = 1 print 1", `error: syntax error: expected ";" but found "print"`},
		{"let x = Ledger | nothing; x", "error: syntax error: 'nothing' is not an operator"},
		{"let x = Amount; Ledger | where x > 1", "error: failed to resolve scalar expression named 'Amount'"},
	})
}

// Words that begin a tabular expression are names and functions as well.
func TestWordsOfSeveralMeanings(t *testing.T) {
	checkTables(t, []example{
		{"print x09 = 1, _90 = 2, A_z = 3 | project x09 + _90 + A_z", "Column1;6"},
		{"print xé = 1", `error: syntax error at "é = 1"`},
		{"print $x = 1 | project $x", "$x;1"},
		{"let r = range(1, 3); print r", "print_0;[1,2,3]"},
		{"let r = range x from 1 to 3 step 1; r | count", "Count;3"},
		{"let t = table('Ledger'); t | count", "Count;5"},
		{"let t = (table('Ledger') | take 1); t | count", "Count;1"},
		{"let p = print x = 1; p", "x;1"},
		{"let d = datatable(x:long)[1, 2]; d | count", "Count;2"},
		{"let m = materialize(Ledger | take 2); m | count", "Count;2"},
		{"let u = union Ledger, Ledger; u | count", "Count;10"},
		{"let u = union *; u | count", "Count;5"},
		{"print range = 1, table = 2, search = 3, print = 4, union = 5 | where (range == 1) and (table == 2) and (search == 3) and (print == 4) and (union == 5) | count", "Count;1"},
		{"print range = dynamic({'a': 1}) | project (range.a)", "range_a;1"},
		{"print find = 1, view = 2, evaluate = 3 | project (find + view + evaluate)", "Column1;6"},
		{"let print = 5; range x from 1 to 1 step 1 | where x < (print)", "x;1"},
		{"print x = 5 | project x in (range(1, 5))", "Column1;true"},
		{"let search = datatable(x:long)[1]; search | count", "Count;1"},
		{"let range = datatable(x:long)[1]; range | count", "Count;1"},
		{"let print = datatable(x:long)[1]; print | count", "Count;1"},
		{"print asc = 1, by = 2, step = 3, kind = 4 | project asc + by + step + kind", "Column1;10"},
		{"print ['let'] = 1 | project ['let']", "let;1"},
		{"print set = 1", "set;1"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/print-operator
// https://learn.microsoft.com/en-us/kusto/query/range-operator
// https://learn.microsoft.com/en-us/kusto/query/datatable-operator
func TestSourcesOfRows(t *testing.T) {
	checkTables(t, []example{
		{"datatable(a:real)[1] | extend b = a / 2", "a,b;1,0.5"},
		{"range x from 1 to 2 step 0.5 | project y = x / 4", "y;0.25;0.375;0.5"},
		{"print x = 1 | extend x = iff(true, 1, 2.5) | extend x = x / 2", "x;0.5"},
		{"union (print x = real(null)), (print x = 1.0) | project x / 2", "Column1;;0.5"},
		{"print 1, x = 2, 'three'", "print_0,x,print_2;1,2,three"},
		{"print", "error: syntax error: unexpected end of the query"},
		{"print x", "error: failed to resolve scalar expression named 'x'"},
		{"range x from 1 to 5 step 2", "x;1;3;5"},
		{"range x from 5 to 1 step -2", "x;5;3;1"},
		{"range x from 1 to 0 step 1", "x"},
		{"range x from 0.5 to 2 step 1", "x;0.5;1.5"},
		{"range x from 1 to 2 step 0.5", "x;1;1.5;2"},
		{"range x from 1 to 2 step 0.5 | getschema | project ColumnType", "ColumnType;real"},
		{"range x from int(1) to 2 step 1 | getschema | project ColumnType", "ColumnType;long"},
		{"range x from 1h to 3h step 1h | getschema | project ColumnType", "ColumnType;timespan"},
		{"range x from 1h to 3h step 1h", "x;01:00:00;02:00:00;03:00:00"},
		{"range x from datetime(2026-06-01) to datetime(2026-06-02) step 12h | count", "Count;3"},
		{"range x from 1 to 3 step 0", "error: a range needs values of one type, and a step that is not zero"},
		{"range x from 1 to 3 step 1h", "error: a range needs values of one type, and a step that is not zero"},
		{"range x from 'a' to 'c' step 1", "error: a range needs values of one type, and a step that is not zero"},
		{"range x from 1 to 1000001 step 1", "error: a range exceeds the limit of 1000000 values"},
		{"range x from 1 to 3", "error: syntax error: unexpected end of the query"},
		{"range x to 3", `error: syntax error: unexpected "to"`},
		{"range x from to 3 step 1", "error: failed to resolve scalar expression named 'to'"},
		{"datatable(a:string, b:long)['x', 1, 'y', 2]", "a,b;x,1;y,2"},
		{"datatable(a:string, b:long)['x', 1, 'y', 2,]", "a,b;x,1;y,2"},
		{"datatable(a:string)[]", "a"},
		{"datatable(a:real, b:datetime, c:dynamic)[1, datetime(2026), dynamic([1])]", "a,b,c;1,2026-01-01T00:00:00.0000000Z,[1]"},
		{"datatable(a:real, b:bool, c:int)[1, 1, 2] | getschema | project ColumnType", "ColumnType;real;bool;int"},
		{"datatable(a:dynamic)[1, 'x', dynamic([1])]", "a;1;x;[1]"},
		{"datatable(a:long)[dynamic(1)]", "a;1"},
		{"datatable(a:long)[-1, 1 + 1]", "a;-1;2"},
		{"datatable(a:long)['x']", "error: the column 'a' of the datatable takes a literal of type long"},
		{"datatable(a:string)[1]", "error: the column 'a' of the datatable takes a literal of type string"},
		{"datatable(a:string, b:long)['x', 1, 'y']", "error: the values of the datatable do not fill its rows"},
		{"datatable()[1]", "error: the datatable has no column"},
		{"datatable(a:long)[1 2]", `error: syntax error: unexpected "2"`},
		{"datatable(a:long)[1", "error: syntax error: unexpected end of the query"},
		{"datatable(a:long)[x]", "error: failed to resolve scalar expression named 'x'"},
		{"datatable(a:long)", `error: syntax error: expected "[" but found the end of the query`},
		{"datatable(a)[1]", `error: syntax error: expected ":" but found ")"`},
		{"datatable(a:decimal)[1]", "error: the type 'decimal' is not supported by this simulated service"},
		{"datatable", "error: failed to resolve table or column expression named 'datatable'"},
	})
}

// widened is a service with a function, a table that has as many rows as one may have, and one that has more.
type widened struct{ ledgers }

func (w widened) Table(name string) (Table, bool) {
	if size := map[string]int{"Large": MaxRows + 1, "Full": MaxRows}[name]; size > 0 {
		return Table{Columns: []Column{{"x", Long}}, Rows: slices.Repeat([][]any{{int64(1)}}, size)}, true
	}
	return w.ledgers.Table(name)
}

func (widened) Enrich(function string, t Table, column string, limit int) (Table, bool) {
	made := Table{Columns: append(t.Columns[:1:1], Column{"Profile", String})}
	for i, row := range t.Rows {
		profile := ""
		if i < limit {
			profile = fmt.Sprint(column, i)
		}
		made.Rows = append(made.Rows, []any{row[0], profile})
	}
	return made, function == "Profile"
}

func TestFunctionsOfTheService(t *testing.T) {
	for _, one := range []example{
		{"Ledger | project Who | invoke Profile(Who)", "Who,Profile;Nora,Who0;nora,Who1;Tom,Who2;Tom,Who3;Ada,Who4"},
		{"Ledger | project Who | invoke Profile(Who, 2) | where isnotempty(Profile)", "Who,Profile;Nora,Who0;nora,Who1"},
		{"Ledger | project Who | invoke Profile('Who', 2) | where isnotempty(Profile)", "Who,Profile;Nora,Who0;nora,Who1"},
		{"Ledger | project Who | invoke Profile(Who, 1000) | count", "Count;5"},
		{"range x from 1 to 150 step 1 | invoke Profile(x) | where isnotempty(Profile) | count", "Count;100"},
		{"Ledger | invoke Profile(Who, 1001)", "error: the function 'Profile' takes a column and a number up to 1000"},
		{"Ledger | invoke Profile(Who, 0)", "error: the function 'Profile' takes a column and a number up to 1000"},
		{"Ledger | invoke Profile('x')", "error: failed to resolve column named 'x'"},
		{"Ledger | invoke Profile(Who, Amount + 1)", "error: the function 'Profile' takes a column and a number up to 1000"},
		{"Ledger | invoke Profile(Who 2)", `error: syntax error: unexpected "2"`},
		{"Ledger | invoke Profile(", "error: syntax error: unexpected end of the query"},
		{"Ledger | invoke Profile", `error: syntax error: expected "(" but found the end of the query`},
		{"Ledger | invoke Elsewhere(Who)", "error: the function 'Elsewhere' is not supported by this simulated service"},
		{"Large | count", "error: the table 'Large' has more than 1000000 rows here"},
		{"Full | take 1000000 | count", "Count;1000000"},
		{"union Full, (Full | take 1)", "error: the query exceeds the limit of 1000000 rows after the operator 'union'"},
	} {
		if got := answerWithHeader(one.query, widened{}); got != one.want {
			t.Errorf("%s\ngot  %q\nwant %q", one.query, got, one.want)
		}
	}
}

func TestLimits(t *testing.T) {
	const many = "let T = range x from 1 to 1500 step 1 | extend k = 1; "
	checkTables(t, []example{
		{many + "T | join kind=inner T on k", "error: the query exceeds the limit of 1000000 rows after the operator 'join'"},
		{"print " + strings.Repeat("(", 70) + "1" + strings.Repeat(")", 70), "error: the query nests deeper than 64 levels"},
		{"print " + strings.Repeat("-", 70) + "1", "error: the query nests deeper than 64 levels"},
		{strings.Repeat("(", 70) + "Ledger" + strings.Repeat(")", 70), "error: the query nests deeper than 64 levels"},
		{"print " + strings.Repeat("(", 62) + "1" + strings.Repeat(")", 62), "print_0;1"},
		{"print " + strings.Repeat("(", 63) + "1" + strings.Repeat(")", 63), "error: the query nests deeper than 64 levels"},
		{"print " + strings.Repeat("(-1) + ", 80) + "0", "print_0;-80"},
		{"print " + strings.Repeat("1 in ((print 1)) and ", 80) + "true", "print_0;true"},
		{"print x = dynamic([1]) | " + strings.Repeat("mv-apply x on (", 70) + "count" + strings.Repeat(")", 70), "error: the query nests deeper than 64 levels"},
		{"print x = dynamic([1]) | " + strings.Repeat("mv-apply x on (", 5) + "count" + strings.Repeat(")", 5), "Count;1"},
		{"Ledger | search " + strings.Repeat("not(", 70) + "'x'" + strings.Repeat(")", 70), "error: the query nests deeper than 64 levels"},
	})
	query := "let f0 = () { 1 }; "
	for i := range 70 {
		query += fmt.Sprintf("let f%d = () { f%d() }; ", i+1, i)
	}
	if got, want := answer(query+"print f70()", noTables{}), "is called too often"; !strings.HasSuffix(got, want) {
		t.Errorf("functions that call functions: got %q, want one that %s", got, want)
	}
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/
func TestNamesOfTypesInAnswers(t *testing.T) {
	for typ, want := range map[Type]string{
		String: "String", Long: "Int64", Int: "Int32", Real: "Double", Bool: "SByte", DateTime: "DateTime", TimeSpan: "TimeSpan", Dynamic: "Object", GUID: "Guid",
	} {
		if got := typ.Wire(); got != want {
			t.Errorf("%s: got %q, want %q", typ, got, want)
		}
	}
}

func TestTheTimeOfAQueryIsUTC(t *testing.T) {
	got, err := Run("print now()", time.Date(2026, 6, 1, 22, 0, 0, 0, time.FixedZone("CEST", 2*60*60)), noTables{})
	if want := "2026-06-01T20:00:00.0000000Z"; err != nil || shown(got) != want {
		t.Errorf("got %q and %v, want %q", shown(got), err, want)
	}
}
